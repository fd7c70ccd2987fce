import * as z from 'zod'
import type { Services } from '../services.js'
import { livestreamId, parse, plainText, sellerId } from '../validate.js'
import { beforeId, pageLimit, seenSeq } from './query.js'
import { reply } from './reply.js'
import { idOf, type Route } from './route.js'

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
export function livestreamRoutes({ livestreams, lookups, snapshots }: Services): Route[] {
  return [
    {
      method: 'post',
      paths: [''],
      body: 'json',
      async answer({ by, body }, res) {
        const { title, id, seller_id } = parse(createBody, body)
        const { created, livestream } = await livestreams.create({ title, id, sellerId: seller_id }, by)
        reply(res, livestream, created ? 201 : 200)
      },
    },
    {
      method: 'get',
      paths: [''],
      body: 'none',
      async answer({ by, query }, res) {
        const { status, seller_id, cursor, limit } = parse(listQuery, query)
        const wanted = { sellerId: seller_id, liveOnly: status === 'live', cursor, limit }
        reply(res, await lookups.livestreams(by, wanted))
      },
    },
    {
      method: 'get',
      paths: ['/:id'],
      body: 'none',
      async answer(asked, res) {
        parse(noQuery, asked.query)
        reply(res, await lookups.livestream(idOf(asked), asked.by))
      },
    },
    {
      method: 'get',
      paths: ['/:id/snapshot'],
      body: 'none',
      async answer(asked, res) {
        const { after } = parse(snapshotQuery, asked.query)
        reply(res, await snapshots.snapshot(idOf(asked), asked.by, after))
      },
    },
    {
      method: 'get',
      paths: ['/:id/ledger'],
      body: 'none',
      async answer(asked, res) {
        const { cursor, limit } = parse(ledgerQuery, asked.query)
        reply(res, await lookups.livestreamLedger(idOf(asked), asked.by, { before: cursor, limit }))
      },
    },
    {
      method: 'post',
      paths: ['/:id/force_end'],
      body: 'json',
      async answer(asked, res) {
        const { reason } = parse(forceEndBody, asked.body ?? {})
        reply(res, await livestreams.forceEnd(idOf(asked), asked.by, reason))
      },
    },
  ]
}
