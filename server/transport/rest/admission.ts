import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { RequestHandler, Response } from 'express'
import { MemoryStore, type Options } from 'express-rate-limit'
import { wallMsUntil } from '../../clock.js'
import { Refusal } from '../../domain/errors.js'
import { MINUTE_MS, SECOND_MS } from '../../domain/instant.js'
import { bearerToken, type Identity, type Tokens } from '../../tokens.js'
import type { AnswerHeaders } from './answer-headers.js'
import { carry, carryAll } from './reply.js'
import { headerOf } from './request-header.js'

/** A page of the guide calls once in five minutes; this stops a loop gone wild, not a page with many tabs. */
const REQUESTS_A_MINUTE = 600
const RATE_LIMIT_POLICY = `${REQUESTS_A_MINUTE};w=${MINUTE_MS / SECOND_MS}`

/**
 * Puts the headers of every answer on it, and tells who asks.
 * @throws Refusal where there is no good token (H1, H3), and `rate_limited`
 */
export type Admit = (req: IncomingMessage, res: ServerResponse) => Promise<Identity>

/**
 * What stands before every route of the API: the headers of its answers, the token, and the limit of what one seller
 * asks in a minute; services and operators speak for many, and are not limited. For a token that was checked before
 * it waits for nothing but the count.
 */
export function admission(tokens: Tokens, headers: AnswerHeaders): Admit {
  const asked = new MemoryStore()
  asked.init({ windowMs: MINUTE_MS } as Options)

  return async (req, res) => {
    carryAll(res, headers.of(headerOf(req, 'origin')))
    const token = tokenOf(req)
    const identity = tokens.known(token) ?? (await tokens.verify(token))
    if (identity.role === 'seller') {
      const { totalHits, resetTime } = await asked.increment(identity.sub)
      limit(res, totalHits, resetTime)
    }
    return identity
  }
}

/** The same for Express, whose routes ask `identityOf`. A browser that only asks whether it may ask has no token yet. */
export function admitted(admit: Admit, { preflight }: AnswerHeaders): RequestHandler {
  return async (req, res, next) => {
    if (req.method === 'OPTIONS') {
      preflight(req, res, next)
      return
    }
    res.locals['identity'] = await admit(req, res)
    next()
  }
}

/**
 * The fields of draft-ietf-httpapi-ratelimit-headers-07.
 * @throws Refusal `rate_limited`
 */
function limit(res: ServerResponse, count: number, resetAt: Date | undefined): void {
  const left = Math.max(0, REQUESTS_A_MINUTE - count)
  const reset = Math.max(0, Math.ceil((resetAt ? wallMsUntil(resetAt) : 0) / SECOND_MS))
  const state = `limit=${REQUESTS_A_MINUTE}, remaining=${left}, reset=${reset}`
  carry(res, 'RateLimit-Policy', RATE_LIMIT_POLICY)
  carry(res, 'RateLimit', state)
  if (count <= REQUESTS_A_MINUTE) return
  carry(res, 'Retry-After', String(reset))
  throw new Refusal('rate_limited', `Too many requests: at most ${REQUESTS_A_MINUTE} a minute`)
}

const SAID = Symbol('what a connection said last of who it is')
type Speaking = Socket & { [SAID]?: { readonly header: string; readonly token: string } }

/** The token of a request. A connection mostly says the same at each; its header is taken apart once. */
function tokenOf(req: IncomingMessage): string {
  const header = headerOf(req, 'authorization')
  const connection: Speaking = req.socket
  const said = connection[SAID]
  if (said !== undefined && said.header === header) return said.token
  const token = bearerToken(header)
  if (header !== undefined) connection[SAID] = { header, token }
  return token
}

/** Checks the token of every request behind it. */
export function authenticate(tokens: Tokens): RequestHandler {
  return async (req, res, next) => {
    res.locals['identity'] = await tokens.verify(tokenOf(req))
    next()
  }
}

/** Who asks. Only behind `admitted` or `authenticate`. */
export function identityOf(res: Response): Identity {
  return res.locals['identity'] as Identity
}
