import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { SellerEvent } from '../../../client-sdk/protocol/index.js'
import { MINUTE_MS, toTimestamp } from '../../../server/domain/instant.js'
import { grant, makeSeller, type TestSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const server = await startServer()
test.after(() => server.close())

interface Page {
  items: SellerEvent[]
  seq: number
  reset: boolean
}

async function events({ token }: TestSeller, query = ''): Promise<Page> {
  const { status, body } = await server.request('GET', `/api/events/${query}`, { token })
  assert.is(status, 200)
  return body
}

async function sellerWithEvents(count: number): Promise<TestSeller> {
  const seller = await makeSeller(server, 0)
  for (let n = 0; n < count; n++) await grant(server, seller.id, 1)
  return seller
}

const seqs = ({ items }: Page) => items.map(({ seq }) => seq)

test('N, S: events carry what sockets carry, and their kind', async () => {
  const seller = await makeSeller(server, 2)
  const { token, livestreamId } = seller
  const start = await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  await server.pass(10 * MINUTE_MS)
  await server.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token })
  await server.request('PATCH', `/api/livestreams/end/${livestreamId}/`, { token })

  const { items, seq, reset } = await events(seller)

  assert.equal(
    items.map(({ event }) => event),
    [
      'credit_update',
      'stream_started',
      'credit_update',
      'low_credit_warning',
      'inactivity_warning',
      'inactivity_cleared',
      'stream_ended',
    ],
  )
  assert.equal([seq, reset], [7, false])
  for (const [index, item] of items.entries()) {
    assert.is(item.seq, index + 1)
    assert.is(item.livestream_id, index === 0 ? null : livestreamId)
    assert.is(item.run_id, index === 0 ? null : start.body.run_id)
    assert.match(item.occurred_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  }
})

test('N, V3: events in pages past the last that was seen', async () => {
  const seller = await sellerWithEvents(7)
  const pages: number[][] = []
  for (let after = 0; ; ) {
    const page = await events(seller, `?after=${after}&limit=3`)
    assert.equal([page.seq, page.reset], [7, false])
    if (page.items.length === 0) break
    pages.push(seqs(page))
    after = page.items.at(-1)?.seq ?? 0
  }
  assert.equal(pages, [[1, 2, 3], [4, 5, 6], [7]])
})

test('N, V3: an `after` that was never reached is of another history: reset', async () => {
  const seller = await sellerWithEvents(2)
  assert.equal(await events(seller, '?after=3'), { items: [], seq: 2, reset: true })
  assert.equal(await events(seller, '?after=9007199254740991'), { items: [], seq: 2, reset: true })
  assert.equal(await events(seller, '?after=2'), { items: [], seq: 2, reset: false })
})

test('N, V3: where events past `after` are no longer kept: reset', async () => {
  const seller = await sellerWithEvents(5)
  await server.database.db.deleteFrom('events').where('seller_id', '=', seller.id).where('seq', '<=', 3).execute()
  assert.equal(await events(seller, '?after=2'), { items: [], seq: 5, reset: true })
  assert.equal(seqs(await events(seller, '?after=3')), [4, 5])
})

test('N, V3: a snapshot is the livestream with its seller’s sequence, and says what cannot be replayed', async () => {
  const seller = await makeSeller(server, 5)
  const { token, livestreamId } = seller
  const now = toTimestamp(server.clock.now())
  const snapshot = (query = '') =>
    server.request('GET', `/api/livestreams/${livestreamId}/snapshot/${query}`, { token })
  const never = await snapshot()
  assert.equal([never.body.livestream.run, never.body.remaining_credits, never.body.seq], [null, 5, 1])
  await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  const live = await snapshot()
  const { livestream, ...others } = live.body
  assert.equal(livestream, (await server.request('GET', `/api/livestreams/${livestreamId}/`, { token })).body)
  assert.equal(others, {
    seq: 3,
    reset: false,
    server_time: now,
    protocol_version: 1,
    remaining_credits: 4,
    policy: {
      deduction_interval_ms: 30 * MINUTE_MS,
      inactivity_warning_ms: 10 * MINUTE_MS,
      inactivity_auto_end_ms: 15 * MINUTE_MS,
      low_credit_threshold: 2,
    },
  })
  assert.is((await snapshot('?after=0')).body.reset, false)
  assert.is((await snapshot('?after=3')).body.reset, false)
  assert.is((await snapshot('?after=4')).body.reset, true)
})

test('N: a seller of whom nothing is known has no events', async () => {
  const { body } = await server.request('GET', '/api/events/', { token: server.token('newcomer') })
  assert.equal(body, { items: [], seq: 0, reset: false })
})

test('N: a seller sees its own events only', async () => {
  await sellerWithEvents(3)
  const seller = await sellerWithEvents(1)
  assert.equal(seqs(await events(seller)), [1])
})

test.run()
