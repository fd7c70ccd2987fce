import type { ServerResponse } from 'node:http'
import type { RawHeaders } from './answer-headers.js'

const CARRIED = Symbol('what an answer carries')
type Carrying = ServerResponse & { [CARRIED]?: string[] }

/** Has an answer carry these headers too; written at once with it, they cost far less than set one by one. */
export function carry(res: Carrying, headers: RawHeaders): void {
  const carried = res[CARRIED]
  if (carried) carried.push(...headers)
  else res[CARRIED] = [...headers]
}

/** Answers with JSON, without what Express would look at first: tags, ranges and character sets, of which there are none. */
export function reply(res: Carrying, body: object, status = 200): void {
  replyText(res, JSON.stringify(body), status)
}

/** The same with an answer that is JSON already. */
export function replyText(res: Carrying, text: string, status = 200): void {
  carry(res, ['Content-Type', 'application/json; charset=utf-8', 'Content-Length', String(Buffer.byteLength(text))])
  res.writeHead(status, res[CARRIED]).end(text)
}
