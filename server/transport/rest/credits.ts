import { Router } from 'express'
import * as z from 'zod'
import { permissionDenied, Refusal } from '../../domain/errors.js'
import { IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_RULE } from '../../domain/idempotency-key.js'
import type { Services } from '../services.js'
import { parse, plainText, sellerId } from '../validate.js'
import { identityOf } from './admission.js'
import { jsonBody } from './body.js'
import { beforeId, pageLimit, seenSeq } from './query.js'
import { reply } from './reply.js'

const creditsQuery = z.strictObject({ seller_id: sellerId.optional() })
const ledgerQuery = z.strictObject({ seller_id: sellerId.optional(), cursor: beforeId, limit: pageLimit })
const eventsQuery = z.strictObject({ after: seenSeq.default(0), limit: pageLimit })
const moveBody = z.strictObject({
  amount: z.int().refine((amount) => amount !== 0, 'must not be 0'),
  reason: plainText.optional(),
  corrects: z.int().min(1).optional(),
})
const idempotencyKey = z.string().regex(IDEMPOTENCY_KEY, `must be ${IDEMPOTENCY_KEY_RULE}`)
const moveParams = z.object({ seller_id: sellerId })

/** Accounts, ledgers and events (SPEC.md, N). */
export function creditRoutes({ lookups, snapshots, moveCredits }: Services): Router {
  const router = Router()
  router.get('/credits', async (req, res) => {
    const { seller_id } = parse(creditsQuery, req.query)
    reply(res, await lookups.credits(identityOf(res), seller_id))
  })
  router.get('/credits/ledger', async (req, res) => {
    const { seller_id, cursor, limit } = parse(ledgerQuery, req.query)
    reply(res, await lookups.ledger(identityOf(res), { sellerId: seller_id, before: cursor, limit }))
  })
  router.get('/events', async (req, res) => {
    const { after, limit } = parse(eventsQuery, req.query)
    const by = identityOf(res)
    if (by.role !== 'seller') throw permissionDenied()
    reply(res, await snapshots.events(by.sub, after, limit))
  })
  router.post('/sellers/:seller_id/credits', jsonBody, async (req, res) => {
    if (identityOf(res).role === 'seller') throw permissionDenied()
    const { seller_id } = parse(moveParams, req.params)
    const { amount, reason, corrects } = parse(moveBody, req.body)
    const key = req.get('Idempotency-Key')
    if (key === undefined) {
      throw new Refusal(
        'invalid_request',
        'Idempotency-Key: send this header, with a key of your own for each movement',
        {
          field: 'Idempotency-Key',
        },
      )
    }
    const { 'Idempotency-Key': checkedKey } = parse(z.object({ 'Idempotency-Key': idempotencyKey }), {
      'Idempotency-Key': key,
    })
    const { created, ...answer } = await moveCredits({
      sellerId: seller_id,
      amount,
      idempotencyKey: checkedKey,
      reason,
      corrects,
    })
    reply(res, answer, created ? 201 : 200)
  })
  return router
}
