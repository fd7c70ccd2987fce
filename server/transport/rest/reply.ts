import type { ServerResponse } from 'node:http'
import type { SharedHeaders } from './answer-headers.js'
import { putHead } from './head-text.js'

const JSON_TYPE = 'application/json; charset=utf-8'

const CARRIED = Symbol('what an answer carries')
type Carrying = ServerResponse & { [CARRIED]?: Carried }

/**
 * Headers that are known before there is an answer. A class, as is everything that a heartbeat is until its batch is on disk: where much of
 * what a literal makes lives that long, the engine takes it for what lives for ever, and makes the rest in the old generation at once.
 */
class Carried {
  constructor(
    readonly shared: SharedHeaders | null,
    readonly name: string,
    readonly value: string,
    readonly before: Carried | undefined,
  ) {}
}

/** Has an answer carry a header too; written at once with it, it costs far less than set alone. */
export function carry(res: Carrying, name: string, value: string): void {
  res[CARRIED] = new Carried(null, name, value, res[CARRIED])
}

/** The same with those that many answers carry. */
export function carryAll(res: Carrying, shared: SharedHeaders): void {
  res[CARRIED] = new Carried(shared, '', '', res[CARRIED])
}

/** Answers with JSON, without what Express would look at first: tags, ranges and character sets, of which there are none. */
export function reply(res: Carrying, body: object, status = 200): void {
  replyText(res, JSON.stringify(body), status)
}

/** The same with an answer that is JSON already. */
export function replyText(res: Carrying, text: string, status = 200): void {
  const bytes = Buffer.byteLength(text)
  if (status !== 200 || !putHead(res, fieldsIn(res, bytes))) res.writeHead(status, listIn(res, bytes))
  end(res, text, bytes === text.length)
}

function fieldsIn(res: Carrying, bytes: number): string {
  let fields = `Content-Type: ${JSON_TYPE}\r\nContent-Length: ${bytes}\r\n`
  for (let carried = res[CARRIED]; carried; carried = carried.before) {
    fields += carried.shared ? carried.shared.text : `${carried.name}: ${carried.value}\r\n`
  }
  return fields
}

function listIn(res: Carrying, bytes: number): string[] {
  const list = ['Content-Type', JSON_TYPE, 'Content-Length', String(bytes)]
  for (let carried = res[CARRIED]; carried; carried = carried.before) {
    if (carried.shared) list.push(...carried.shared.list)
    else list.push(carried.name, carried.value)
  }
  return list
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
