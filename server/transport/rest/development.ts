import { type RequestHandler, Router } from 'express'
import * as z from 'zod'
import { Refusal } from '../../domain/errors.js'
import { toTimestamp } from '../../domain/instant.js'
import type { Services } from '../services.js'
import { parse, sellerId } from '../validate.js'
import { authenticate, identityOf } from './admission.js'
import { jsonBody } from './body.js'
import { reply } from './reply.js'

const SESSION_MS = 60 * 60 * 1_000
const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]'])

const sessionBody = z.strictObject({ seller_id: sellerId })
const creditsBody = z.strictObject({ credits: z.int().min(1).max(1_000) })

/**
 * What the seller page needs to be tried out with nothing set up: sign in as anybody, and credits for nothing. Served only in
 * development, with the program's own secret, on a loopback address; `app.ts` sees to that.
 */
export function developmentRoutes({ tokens, lookups, livestreams, moveCredits }: Services): Router {
  const router = Router()
  router.use(loopbackOnly, jsonBody)
  router.get('/', (_req, res) => {
    reply(res, { development: true })
  })
  router.post('/session', async (req, res) => {
    const { seller_id } = parse(sessionBody, req.body)
    const token = tokens.sign({ sub: seller_id, role: 'seller', ttlMs: SESSION_MS })
    const identity = await tokens.verify(token)
    const { items } = await lookups.livestreams(identity, { liveOnly: false, cursor: '', limit: 1 })
    const livestream =
      items[0] ?? (await livestreams.create({ title: `The stream of ${seller_id}` }, identity)).livestream
    reply(res, { token, expires_at: toTimestamp(identity.expiresAt), livestream_id: livestream.id })
  })
  router.post('/credits', authenticate(tokens), async (req, res) => {
    const { credits } = parse(creditsBody, req.body)
    const idempotencyKey = req.get('Idempotency-Key') ?? ''
    if (!/^[\x21-\x7e]{1,100}$/.test(idempotencyKey)) {
      throw new Refusal('invalid_request', 'Idempotency-Key: send this header', { field: 'Idempotency-Key' })
    }
    const { balance } = await moveCredits({
      sellerId: identityOf(res).sub,
      amount: credits,
      idempotencyKey: `page:${idempotencyKey}`,
      reason: 'Bought on the seller page',
    })
    reply(res, { balance }, 201)
  })
  return router
}

/** A page of another site, whose name was pointed at this machine, would say its own name here. */
const loopbackOnly: RequestHandler = (req, _res, next) => {
  const name = (req.headers.host ?? '').replace(/:\d+$/, '')
  next(LOOPBACK_NAMES.has(name) ? undefined : new Refusal('route_not_found', 'There is nothing here'))
}
