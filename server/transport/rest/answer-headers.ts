import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import cors from 'cors'
import type { RequestHandler } from 'express'
import helmet from 'helmet'
import { fieldsOf } from './head-text.js'

/** Headers that many answers carry. */
export interface SharedHeaders {
  /** As `writeHead` takes them: names and values in turn. */
  readonly list: readonly string[]
  /** As they stand in a head. */
  readonly text: string
}

export interface AnswerHeaders {
  /** What every answer to a page of this origin carries. */
  of(origin: string | undefined): SharedHeaders
  /** Answers a browser that asks whether it may ask. */
  readonly preflight: RequestHandler
  /** Sets those of answers to whoever asks from nowhere, for what answers by other means than `reply`. */
  readonly onAll: RequestHandler
}

// Plain HTTP on a machine's own network is fine; whoever adds TLS in front redirects there.
const secure = helmet({
  contentSecurityPolicy: { directives: { 'upgrade-insecure-requests': null } },
  strictTransportSecurity: false,
})

/**
 * The headers of helmet and of cors, which are the same at every answer to an origin: they are asked for once each, since
 * their dozen middlewares cost more than a read.
 */
export function answerHeaders(corsOrigins: readonly string[]): AnswerHeaders {
  const crossOrigin = cors({
    origin: [...corsOrigins],
    allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key'],
    exposedHeaders: ['Retry-After'],
    maxAge: 600,
  })
  const toOthers = headersBy([secure, crossOrigin])
  const byOrigin = new Map(corsOrigins.map((origin) => [origin, headersBy([secure, crossOrigin], origin)]))
  const security = headersBy([secure])
  return {
    of: (origin) => (origin === undefined ? toOthers : (byOrigin.get(origin) ?? toOthers)),
    preflight(req, res, next) {
      setAll(res, security)
      crossOrigin(req, res, next)
    },
    onAll(_req, res, next) {
      setAll(res, security)
      next()
    },
  }
}

function setAll(res: ServerResponse, { list }: SharedHeaders): void {
  for (let i = 0; i < list.length; i += 2) res.setHeader(list[i] ?? '', list[i + 1] ?? '')
}

/** What these put on an answer to a page of an origin. */
function headersBy(
  middlewares: readonly ((req: IncomingMessage, res: ServerResponse, next: () => void) => void)[],
  origin?: string,
): SharedHeaders {
  const request = new IncomingMessage(new Socket())
  request.method = 'GET'
  if (origin !== undefined) request.headers.origin = origin
  const response = new ServerResponse(request)
  for (const middleware of middlewares) middleware(request, response, () => undefined)
  const list = Object.entries(response.getHeaders()).flatMap(([name, value]) => [name, String(value)])
  return { list, text: fieldsOf(list) }
}
