import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestHandler } from 'express'
import type { ErrorBody, ErrorCode } from '../../../client-sdk/protocol/index.js'
import { Refusal } from '../../domain/errors.js'
import type { Log } from '../../log.js'
import { carry, reply } from './reply.js'

/** The HTTP status of every code (H1). */
export const STATUS_OF: Record<ErrorCode, number> = {
  already_refunded: 409,
  balance_too_large: 409,
  balance_would_be_negative: 409,
  entry_not_found: 404,
  idempotency_key_reused: 409,
  identity_changed: 403,
  insufficient_credits: 400,
  internal_error: 500,
  invalid_json: 400,
  invalid_request: 422,
  livestream_already_live: 400,
  livestream_id_taken: 409,
  livestream_not_found: 404,
  livestream_not_live: 400,
  method_not_allowed: 405,
  origin_not_allowed: 403,
  payload_too_large: 413,
  permission_denied: 403,
  rate_limited: 429,
  route_not_found: 404,
  server_draining: 503,
  temporarily_unavailable: 503,
  token_expired: 401,
  token_invalid: 401,
  token_missing: 401,
  token_without_expiry: 401,
  unknown_event: 404,
}

/** Answers what no route took. */
export const routeNotFound: RequestHandler = (req) => {
  throw new Refusal('route_not_found', `There is no ${req.method} ${req.path} here; README.md lists the routes`)
}

/** Answers an error: `{error, code}`, and nothing of the inside (H1). */
export type Refuse = (error: unknown, req: IncomingMessage, res: ServerResponse) => void

export function createRefuse(log: Log): Refuse {
  return (error, { method, url = '' }, res) => {
    if (res.headersSent) {
      // Half an answer is no answer.
      res.destroy()
      return
    }
    const refusal = toRefusal(error)
    const status = STATUS_OF[refusal.code]
    if (status === 500) log.error({ err: error, method, path: url.split('?')[0] }, 'request failed')
    if (status === 401) carry(res, 'WWW-Authenticate', challenge(refusal.code))
    if (status === 503) carry(res, 'Retry-After', '1')
    if (status === 413) carry(res, 'Connection', 'close')
    const body: ErrorBody = { error: refusal.message, code: refusal.code, ...refusal.details }
    reply(res, body, status)
  }
}

/** RFC 6750, section 3: no error code where no token was sent. */
function challenge(code: ErrorCode): string {
  return code === 'token_missing' ? 'Bearer realm="tallylight"' : 'Bearer realm="tallylight", error="invalid_token"'
}

function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  const { type, status } = describe(error)
  if (type === 'entity.parse.failed') return new Refusal('invalid_json', 'The body is not JSON')
  if (type === 'entity.too.large') return new Refusal('payload_too_large', 'The body is larger than 16 KiB')
  if (error instanceof URIError) return new Refusal('route_not_found', 'The path is not properly percent-encoded')
  if (status >= 400 && status < 500) return new Refusal('invalid_json', 'The body cannot be read')
  return new Refusal('internal_error', 'Something went wrong here; it was logged')
}

/** The errors of Express's body parser carry a `type`, and those of the caller's making a `status` below 500. */
function describe(error: unknown): { type: unknown; status: number } {
  if (typeof error !== 'object' || error === null) return { type: null, status: 500 }
  return {
    type: 'type' in error ? error.type : null,
    status: 'status' in error && typeof error.status === 'number' ? error.status : 500,
  }
}
