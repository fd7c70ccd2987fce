import type { IncomingHttpHeaders } from 'node:http'
import * as z from 'zod'
import { permissionDenied, Refusal } from '../../domain/errors.js'
import { IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_RULE } from '../../domain/idempotency-key.js'
import type { Services } from '../services.js'
import { parse, plainText, sellerId } from '../validate.js'
import { beforeId, pageLimit, seenSeq } from './query.js'
import { reply } from './reply.js'
import type { Route } from './route.js'

const creditsQuery = z.strictObject({ seller_id: sellerId.optional() })
const ledgerQuery = z.strictObject({ seller_id: sellerId.optional(), cursor: beforeId, limit: pageLimit })
const eventsQuery = z.strictObject({ after: seenSeq.default(0), limit: pageLimit })
const moveBody = z.strictObject({
  amount: z.int().refine((amount) => amount !== 0, 'must not be 0'),
  reason: plainText.optional(),
  corrects: z.int().min(1).optional(),
})
const moveHeaders = z.object({
  'Idempotency-Key': z.string().regex(IDEMPOTENCY_KEY, `must be ${IDEMPOTENCY_KEY_RULE}`),
})
const moveParams = z.object({ seller_id: sellerId })

/** Accounts, ledgers and events (SPEC.md, N). */
export function creditRoutes({ lookups, snapshots, moveCredits }: Services): Route[] {
  return [
    {
      method: 'get',
      paths: ['/credits'],
      body: 'none',
      async answer({ by, query }, res) {
        const { seller_id } = parse(creditsQuery, query)
        reply(res, await lookups.credits(by, seller_id))
      },
    },
    {
      method: 'get',
      paths: ['/credits/ledger'],
      body: 'none',
      async answer({ by, query }, res) {
        const { seller_id, cursor, limit } = parse(ledgerQuery, query)
        reply(res, await lookups.ledger(by, { sellerId: seller_id, before: cursor, limit }))
      },
    },
    {
      method: 'get',
      paths: ['/events'],
      body: 'none',
      async answer({ by, query }, res) {
        const { after, limit } = parse(eventsQuery, query)
        if (by.role !== 'seller') throw permissionDenied()
        reply(res, await snapshots.events(by.sub, after, limit))
      },
    },
    {
      method: 'post',
      paths: ['/sellers/:seller_id/credits'],
      body: 'json',
      async answer({ by, params, body, request }, res) {
        if (by.role === 'seller') throw permissionDenied()
        const { seller_id } = parse(moveParams, params)
        const { amount, reason, corrects } = parse(moveBody, body)
        const { created, ...answer } = await moveCredits({
          sellerId: seller_id,
          amount,
          idempotencyKey: keyOf(request.headers),
          reason,
          corrects,
        })
        reply(res, answer, created ? 201 : 200)
      },
    },
  ]
}

/** @throws Refusal `invalid_request` where there is none, or where it is not of the form of one */
function keyOf({ 'idempotency-key': key }: IncomingHttpHeaders): string {
  if (key === undefined) {
    const missing = 'Idempotency-Key: send this header, with a key of your own for each movement'
    throw new Refusal('invalid_request', missing, { field: 'Idempotency-Key' })
  }
  return parse(moveHeaders, { 'Idempotency-Key': key })['Idempotency-Key']
}
