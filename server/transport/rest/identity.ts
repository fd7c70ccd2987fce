import type { RequestHandler, Response } from 'express'
import { rateLimit } from 'express-rate-limit'
import { Refusal } from '../../domain/errors.js'
import { MINUTE_MS } from '../../domain/instant.js'
import { bearerToken, type Identity, type Tokens } from '../../tokens.js'

/** A page of the guide calls once in five minutes; this stops a loop gone wild, not a page with many tabs. */
const REQUESTS_A_MINUTE = 600

/** Checks the token of every request behind it (H1, H3). */
export function authenticate(tokens: Tokens): RequestHandler {
  return async (req, res, next) => {
    res.locals['identity'] = await tokens.verify(bearerToken(req.headers.authorization))
    next()
  }
}

/** Who asks. Only behind `authenticate`. */
export function identityOf(res: Response): Identity {
  return res.locals['identity'] as Identity
}

/** Limits what one seller asks in a minute; services and operators speak for many, and are not limited. */
export function limitSellers(): RequestHandler {
  return rateLimit({
    windowMs: MINUTE_MS,
    limit: REQUESTS_A_MINUTE,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    skip: (_req, res) => identityOf(res).role !== 'seller',
    keyGenerator: (_req, res) => identityOf(res).sub,
    handler: (_req, _res, next) => {
      next(new Refusal('rate_limited', `Too many requests: at most ${REQUESTS_A_MINUTE} a minute`))
    },
  })
}
