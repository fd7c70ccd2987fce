import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { RequestHandler } from 'express'
import helmet from 'helmet'

/** Helmet's headers, which are the same at every answer: made once, since its dozen middlewares cost more than a read. */
export function securityHeaders(): RequestHandler {
  const example = new ServerResponse(new IncomingMessage(new Socket()))
  // Plain HTTP on a machine's own network is fine; whoever adds TLS in front redirects there.
  const writeHeaders = helmet({
    contentSecurityPolicy: { directives: { 'upgrade-insecure-requests': null } },
    strictTransportSecurity: false,
  })
  writeHeaders(example.req, example, () => undefined)
  const headers = Object.entries(example.getHeaders()).map(([name, value]): [string, string] => [name, String(value)])
  return (_req, res, next) => {
    for (const [name, value] of headers) res.setHeader(name, value)
    next()
  }
}
