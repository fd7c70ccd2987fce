import type { ServerResponse } from 'node:http'
import type { RawHeaders } from './answer-headers.js'

const CARRIED = Symbol('what an answer carries')
type Carrying = ServerResponse & { [CARRIED]?: RawHeaders }

/** Has an answer carry these headers too; written at once with it, they cost far less than set one by one. */
export function carry(res: Carrying, headers: RawHeaders): void {
  const before = res[CARRIED]
  res[CARRIED] = before ? [...before, ...headers] : headers
}

/** Answers with JSON, without what Express would look at first: tags, ranges and character sets, of which there are none. */
export function reply(res: Carrying, body: object, status = 200): void {
  const text = JSON.stringify(body)
  carry(res, ['Content-Type', 'application/json; charset=utf-8', 'Content-Length', String(Buffer.byteLength(text))])
  res.writeHead(status, [...(res[CARRIED] ?? [])]).end(text)
}
