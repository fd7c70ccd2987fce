import type { ServerResponse } from 'node:http'

/** Answers with JSON, without what Express would look at first: tags, ranges and character sets, of which there are none. */
export function reply(res: ServerResponse, body: object, status = 200): void {
  const text = JSON.stringify(body)
  res
    .writeHead(status, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(text),
    })
    .end(text)
}
