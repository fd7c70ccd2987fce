import { Router } from 'express'
import * as z from 'zod'
import type { Services } from '../services.js'
import { livestreamId, parse, plainText, sellerId } from '../validate.js'
import { identityOf } from './admission.js'
import { jsonBody } from './body.js'
import { livestreamIdsOnly } from './livestream-ids.js'
import { beforeId, pageLimit, seenSeq } from './query.js'
import { reply } from './reply.js'

const title = z.string().trim().pipe(plainText.min(1, 'must not be empty'))
const createBody = z.strictObject({ title, id: livestreamId.optional(), seller_id: sellerId.optional() })
const forceEndBody = z.strictObject({ reason: plainText.optional() })
const noQuery = z.strictObject({})
const listQuery = z.strictObject({
  status: z.literal('live').optional(),
  seller_id: sellerId.optional(),
  cursor: livestreamId.or(z.literal('')).default(''),
  limit: pageLimit,
})
const snapshotQuery = z.strictObject({ after: seenSeq.optional() })
const ledgerQuery = z.strictObject({ cursor: beforeId, limit: pageLimit })

/** Livestreams (SPEC.md, N). */
export function livestreamRoutes({ livestreams, lookups, snapshots }: Services): Router {
  const router = Router()
  router.param('id', livestreamIdsOnly)
  router.post('/', jsonBody, async (req, res) => {
    const body = parse(createBody, req.body)
    const request = { title: body.title, id: body.id, sellerId: body.seller_id }
    const { created, livestream } = await livestreams.create(request, identityOf(res))
    reply(res, livestream, created ? 201 : 200)
  })
  router.get('/', async (req, res) => {
    const { status, seller_id, cursor, limit } = parse(listQuery, req.query)
    const query = { sellerId: seller_id, liveOnly: status === 'live', cursor, limit }
    reply(res, await lookups.livestreams(identityOf(res), query))
  })
  router.get('/:id', async (req, res) => {
    parse(noQuery, req.query)
    reply(res, await lookups.livestream(req.params.id, identityOf(res)))
  })
  router.get('/:id/snapshot', async (req, res) => {
    const { after } = parse(snapshotQuery, req.query)
    reply(res, await snapshots.snapshot(req.params.id, identityOf(res), after))
  })
  router.get('/:id/ledger', async (req, res) => {
    const { cursor, limit } = parse(ledgerQuery, req.query)
    reply(res, await lookups.livestreamLedger(req.params.id, identityOf(res), { before: cursor, limit }))
  })
  router.post('/:id/force_end', jsonBody, async (req, res) => {
    const { reason } = parse(forceEndBody, req.body ?? {})
    reply(res, await livestreams.forceEnd(String(req.params['id']), identityOf(res), reason))
  })
  return router
}
