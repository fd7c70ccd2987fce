import type { ServerResponse } from 'node:http'
import type { RawHeaders } from './answer-headers.js'

const CARRIED = Symbol('what an answer carries')
type Carrying = ServerResponse & { [CARRIED]?: RawHeaders[] }

/** Has an answer carry these headers too; written at once with it, they cost far less than set one by one. */
export function carry(res: Carrying, headers: RawHeaders): void {
  const carried = res[CARRIED]
  if (carried) carried.push(headers)
  else res[CARRIED] = [headers]
}

/** Answers with JSON, without what Express would look at first: tags, ranges and character sets, of which there are none. */
export function reply(res: Carrying, body: object, status = 200): void {
  replyText(res, JSON.stringify(body), status)
}

/** The same with an answer that is JSON already. */
export function replyText(res: Carrying, text: string, status = 200): void {
  const bytes = Buffer.byteLength(text)
  const own = ['Content-Type', 'application/json; charset=utf-8', 'Content-Length', String(bytes)]
  // One list, made now: what waits for its answer holds no more than it has to.
  res.writeHead(status, own.concat(...(res[CARRIED] ?? [])))
  end(res, text, bytes === text.length)
}

/**
 * Ends an answer whose length is in its head. In one piece, which goes to the system as one string: `end` with a text writes an empty one
 * after it, and both are copied together first.
 */
function end(res: ServerResponse, text: string, isAscii: boolean): void {
  const { socket } = res
  if (!socket?.writable) {
    res.end(text)
    return
  }
  socket.cork()
  res.write(text, isAscii ? 'latin1' : 'utf8')
  socket.uncork()
  res.end()
}
