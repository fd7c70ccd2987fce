import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { RequestHandler, Response } from 'express'
import { uptimeMs } from '../../clock.js'
import { Refusal } from '../../domain/errors.js'
import { MINUTE_MS, SECOND_MS } from '../../domain/instant.js'
import { bearerToken, type Identity, type Tokens } from '../../tokens.js'
import type { AnswerHeaders } from './answer-headers.js'
import { carry, carryAll } from './reply.js'
import { RequestCounts } from './request-counts.js'

/** A page of the guide calls once in five minutes; this stops a loop gone wild, not a page with many tabs. */
const REQUESTS_A_MINUTE = 600
const RATE_LIMIT_POLICY = `${REQUESTS_A_MINUTE};w=${MINUTE_MS / SECOND_MS}`

/**
 * Puts the headers of every answer on it, and tells who asks: at once, unless a key has to be fetched for the token.
 * @throws Refusal where there is no good token (H1, H3), and `rate_limited`
 */
export type Admit = (req: IncomingMessage, res: ServerResponse) => Identity | Promise<Identity>

/**
 * What stands before every route of the API: the headers of its answers, the token, and the limit of what one seller
 * asks in a minute; services and operators speak for many, and are not limited.
 */
export function admission(tokens: Tokens, headers: AnswerHeaders): Admit {
  const counts = new RequestCounts(MINUTE_MS)

  function counted(identity: Identity, res: ServerResponse): Identity {
    if (identity.role === 'seller') {
      const now = uptimeMs()
      const { asked, until } = counts.add(identity.sub, now)
      limit(res, asked, Math.ceil((until - now) / SECOND_MS))
    }
    return identity
  }

  return (req, res) => {
    carryAll(res, headers.of(req.headers.origin))
    const by = tokens.verify(tokenOf(req))
    return by instanceof Promise ? by.then((identity) => counted(identity, res)) : counted(by, res)
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
 * @param reset in how many seconds the count begins anew
 * @throws Refusal `rate_limited`
 */
function limit(res: ServerResponse, asked: number, reset: number): void {
  const left = Math.max(0, REQUESTS_A_MINUTE - asked)
  carry(res, 'RateLimit-Policy', RATE_LIMIT_POLICY)
  carry(res, 'RateLimit', `limit=${REQUESTS_A_MINUTE}, remaining=${left}, reset=${reset}`)
  if (asked <= REQUESTS_A_MINUTE) return
  carry(res, 'Retry-After', String(reset))
  throw new Refusal('rate_limited', `Too many requests: at most ${REQUESTS_A_MINUTE} a minute`)
}

const SAID = Symbol('what a connection said last of who it is')
type Speaking = Socket & { [SAID]?: { readonly header: string; readonly token: string } }

/** The token of a request. A connection mostly says the same at each; its header is taken apart once. */
function tokenOf(req: IncomingMessage): string {
  const header = req.headers.authorization
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
