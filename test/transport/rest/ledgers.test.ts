import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { LedgerEntryView } from '../../../client-sdk/protocol/index.js'
import { MINUTE_MS, toTimestamp } from '../../../server/domain/instant.js'
import { grant, makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const server = await startServer()
test.after(() => server.close())
const service = server.token('host', 'service')

test('N: the items of a ledger, newest first', async () => {
  const { id, token, livestreamId } = await makeSeller(server, 3)
  const startedAt = server.clock.now()
  const start = await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  const { run_id } = start.body
  for (const minutes of [10, 10, 10]) {
    await server.pass(minutes * MINUTE_MS)
    await server.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token })
  }
  const deductions = await server.request('GET', `/api/livestreams/${livestreamId}/ledger/`, { token })
  const first: LedgerEntryView = deductions.body.items[1]
  await server.request('POST', `/api/sellers/${id}/credits/`, {
    token: service,
    headers: { 'Idempotency-Key': 'sorry' },
    body: { amount: 1, corrects: first.id, reason: 'Our fault' },
  })

  const { body } = await server.request('GET', '/api/credits/ledger/', { token })

  const at = (minutes: number) => toTimestamp(startedAt + minutes * MINUTE_MS)
  const ofRun = { livestream_id: livestreamId, run_id }
  const none = { livestream_id: null, run_id: null, interval_index: null, reason: null, corrects: null }
  assert.equal(
    body.items.map(({ id: _id, ...item }: LedgerEntryView) => item),
    [
      {
        kind: 'refund',
        amount: 1,
        balance_after: 2,
        ...ofRun,
        interval_index: 0,
        reason: 'Our fault',
        corrects: first.id,
        occurred_at: at(30),
        created_at: at(30),
      },
      {
        ...none,
        kind: 'deduction',
        amount: -1,
        balance_after: 1,
        ...ofRun,
        interval_index: 1,
        occurred_at: at(30),
        created_at: at(30),
      },
      {
        ...none,
        kind: 'deduction',
        amount: -1,
        balance_after: 2,
        ...ofRun,
        interval_index: 0,
        occurred_at: at(0),
        created_at: at(0),
      },
      { ...none, kind: 'grant', amount: 3, balance_after: 3, occurred_at: at(0), created_at: at(0) },
    ],
  )
  assert.is(body.next_cursor, null)
  const itemIds: number[] = body.items.map((item: LedgerEntryView) => item.id)
  assert.equal(
    itemIds,
    [...itemIds].sort((a, b) => b - a),
  )
  const ofLivestream = await server.request('GET', `/api/livestreams/${livestreamId}/ledger/`, { token })
  assert.equal(ofLivestream.body.items, body.items.slice(0, 3), 'what moved the account alone is not of a livestream')
})

for (const where of ['/api/credits/ledger/', '/api/livestreams/{id}/ledger/']) {
  test(`N: ${where} in pages, which new entries do not shift`, async () => {
    const { id, token, livestreamId } = await makeSeller(server, 20)
    const path = where.replace('{id}', livestreamId)
    for (let run = 0; run < 7; run++) {
      await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
      await server.request('PATCH', `/api/livestreams/end/${livestreamId}/`, { token })
    }
    const whole: LedgerEntryView[] = (await server.request('GET', path, { token })).body.items
    const pages: LedgerEntryView[][] = []
    let cursor: string | null = null
    do {
      const query: string = cursor === null ? 'limit=3' : `limit=3&cursor=${cursor}`
      const { body } = await server.request('GET', `${path}?${query}`, { token })
      pages.push(body.items)
      cursor = body.next_cursor
      await grant(server, id, 1)
    } while (cursor !== null)
    assert.is(pages.length, 3)
    assert.equal(pages.flat(), whole)
  })
}

test('N: an account shows its balance, its runs and how far its events have come', async () => {
  const { id, token, livestreamId } = await makeSeller(server, 3)
  const startedAt = server.clock.now()
  const start = await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  const { body } = await server.request('GET', '/api/credits/', { token })
  assert.equal(body, {
    seller_id: id,
    balance: 2,
    seq: 4,
    runs: [
      {
        livestream_id: livestreamId,
        run_id: start.body.run_id,
        credits_consumed: 1,
        next_deduction_at: toTimestamp(startedAt + 30 * MINUTE_MS),
        credits_run_out_at: toTimestamp(startedAt + 90 * MINUTE_MS),
      },
    ],
  })
  const asked = await server.request('GET', `/api/credits/?seller_id=${id}`, { token: service })
  assert.equal(asked.body, body)
})

test('N: a seller of whom nothing is known has an empty account', async () => {
  const token = server.token('newcomer')
  const credits = await server.request('GET', '/api/credits/', { token })
  assert.equal(credits.body, { seller_id: 'newcomer', balance: 0, seq: 0, runs: [] })
  const ledger = await server.request('GET', '/api/credits/ledger/', { token })
  assert.equal(ledger.body, { items: [], next_cursor: null })
})

const badQueries: { path: string; field: string }[] = [
  ...['/api/credits/ledger/', '/api/livestreams/{id}/ledger/', '/api/livestreams/', '/api/events/'].flatMap((path) => [
    ...['0', '-1', '1.5', '1001', 'ten', '', '1e2', '0x10', '%201', 'NaN', 'Infinity', '5&limit=6'].map((value) => ({
      path: `${path}?limit=${value}`,
      field: 'limit',
    })),
    { path: `${path}?unknown=1`, field: 'unknown' },
    { path: `${path}?__proto__=1`, field: '__proto__' },
    { path: `${path}?limit[]=1`, field: 'limit[]' },
  ]),
  ...['/api/credits/ledger/', '/api/livestreams/{id}/ledger/'].flatMap((path) =>
    ['0', '-1', '1.5', 'x', '', '9007199254740993', '1e3', '1&cursor=2'].map((value) => ({
      path: `${path}?cursor=${value}`,
      field: 'cursor',
    })),
  ),
  ...['/', 'a%2Fb', 'x'.repeat(129), '%00', 'start', 'a&cursor=b'].map((value) => ({
    path: `/api/livestreams/?cursor=${value}`,
    field: 'cursor',
  })),
  ...['ended', 'LIVE', '', 'live&status=live'].map((value) => ({
    path: `/api/livestreams/?status=${value}`,
    field: 'status',
  })),
  ...['/api/events/', '/api/livestreams/{id}/snapshot/'].flatMap((path) =>
    ['-1', '1.5', 'x', '', '9007199254740993', '1e3'].map((value) => ({
      path: `${path}?after=${value}`,
      field: 'after',
    })),
  ),
  { path: '/api/livestreams/{id}/snapshot/?limit=5', field: 'limit' },
  ...['/api/credits/', '/api/credits/ledger/', '/api/livestreams/'].flatMap((path) =>
    ['', 'a%20b', 'a%2Fb', '%E0%A4%A', '%00', 'x'.repeat(129), "a'b"].map((value) => ({
      path: `${path}?seller_id=${value}`,
      field: 'seller_id',
    })),
  ),
  { path: '/api/events/?seller_id=x', field: 'seller_id' },
  { path: '/api/livestreams/{id}/?x=1', field: 'x' },
  { path: '/api/livestreams/{id}/ledger/?seller_id=x', field: 'seller_id' },
  { path: '/api/credits/?token=x', field: 'token' },
]

const reader = await makeSeller(server)
for (const { path, field } of badQueries) {
  test(`H1, N: GET ${path.slice(0, 60)} is refused, naming ${field}`, async () => {
    const { status, body } = await server.request('GET', path.replace('{id}', reader.livestreamId), reader)
    assert.is(status, 422, JSON.stringify(body))
    assert.is(body.code, 'invalid_request')
    assert.is(body.field, field)
  })
}

test.run()
