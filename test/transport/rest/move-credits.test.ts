import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { LedgerEntryView } from '../../../client-sdk/protocol/index.js'
import { MINUTE_MS, toTimestamp } from '../../../server/domain/instant.js'
import { databaseFacts } from '../../support/database-facts.js'
import { makeSeller, type TestSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const server = await startServer()
test.after(() => server.close())
const service = server.token('host', 'service')
const MOST = Number.MAX_SAFE_INTEGER

async function move(seller: TestSeller, key: string, body: unknown, token = service) {
  const headers = { 'Idempotency-Key': key }
  return server.request('POST', `/api/sellers/${seller.id}/credits/`, { token, headers, body })
}

async function ledgerOf({ token }: TestSeller): Promise<LedgerEntryView[]> {
  return (await server.request('GET', '/api/credits/ledger/', { token })).body.items
}

async function balanceOf({ token }: TestSeller): Promise<number> {
  return (await server.request('GET', '/api/credits/', { token })).body.balance
}

/** A seller with a run that has paid for some intervals, and the deductions, the oldest first. */
async function sellerWithDeductions(credits: number, intervals: number) {
  const seller = await makeSeller(server, credits)
  const { livestreamId, token } = seller
  await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  for (let minutes = 0; minutes < (intervals - 1) * 30; minutes += 10) {
    await server.pass(10 * MINUTE_MS)
    await server.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token })
  }
  const deductions = (await ledgerOf(seller)).filter(({ kind }) => kind === 'deduction').reverse()
  assert.is(deductions.length, intervals)
  return { seller, deductions }
}

test('N: the answer to a grant, and to an adjustment', async () => {
  const seller = await makeSeller(server, 0)
  const grant = await move(seller, 'order-1', { amount: 5, reason: 'Order 1' })
  assert.is(grant.status, 201)
  const now = toTimestamp(server.clock.now())
  const [entry] = await ledgerOf(seller)
  assert.equal(grant.body, { entry, balance: 5 })
  assert.equal(
    { ...entry, id: 0 },
    {
      id: 0,
      kind: 'grant',
      amount: 5,
      balance_after: 5,
      livestream_id: null,
      run_id: null,
      interval_index: null,
      reason: 'Order 1',
      corrects: null,
      occurred_at: now,
      created_at: now,
    },
  )
  const adjustment = await move(seller, 'chargeback-1', { amount: -2 }, server.token('ops', 'operator'))
  assert.is(adjustment.status, 201)
  assert.equal(
    [adjustment.body.entry.kind, adjustment.body.entry.amount, adjustment.body.balance],
    ['adjustment', -2, 3],
  )
})

test('B8: the same key with the same body answers as the first time, whatever came between', async () => {
  const seller = await makeSeller(server, 0)
  const first = await move(seller, 'k', { amount: 5, reason: 'r' })
  server.clock.advance(1_000)
  await move(seller, 'other', { amount: -5 })
  const again = await move(seller, 'k', { reason: 'r', amount: 5 })
  assert.is(again.status, 200)
  assert.equal(again.body, first.body)
  assert.is(await balanceOf(seller), 0)
})

const otherBodies = [{ amount: 6 }, { amount: -5 }, { amount: 5, reason: 'r' }, { amount: 5, corrects: 1 }]
for (const body of otherBodies) {
  test(`B8: the same key with another body is refused: ${JSON.stringify(body)}`, async () => {
    const seller = await makeSeller(server, 0)
    await move(seller, 'k', { amount: 5 })
    const { status, body: answer } = await move(seller, 'k', body)
    assert.is(status, 409)
    assert.is(answer.code, 'idempotency_key_reused')
    assert.is(await balanceOf(seller), 5)
    assert.is((await move(seller, 'k', { amount: 5 })).status, 200, 'the key is still the first one')
  })
}

test('B8: a refused attempt does not use the key up', async () => {
  const seller = await makeSeller(server, 0)
  const attempts: { body: unknown; status: number; code: string }[] = [
    { body: { amount: -1 }, status: 409, code: 'balance_would_be_negative' },
    { body: { amount: 1, corrects: 1_000_000 }, status: 404, code: 'entry_not_found' },
    { body: { amount: 0 }, status: 422, code: 'invalid_request' },
    { body: 'no JSON', status: 400, code: 'invalid_json' },
  ]
  for (const { body, status, code } of attempts) {
    const refused = await move(seller, 'k', body)
    assert.equal([refused.status, refused.body.code], [status, code])
  }
  assert.is((await move(seller, 'k', { amount: 7 })).status, 201)
  assert.is(await balanceOf(seller), 7)
})

test('B8: 20 requests at once with one key make one entry, and are all answered with it', async () => {
  const seller = await makeSeller(server, 0)
  const answers = await Promise.all(Array.from({ length: 20 }, () => move(seller, 'k', { amount: 5 })))
  assert.equal(answers.map(({ status }) => status).sort(), [...Array(19).fill(200), 201])
  for (const { body } of answers) assert.equal(body, answers[0]?.body)
  assert.is((await ledgerOf(seller)).length, 1)
  assert.is(await balanceOf(seller), 5)
})

test('B8: 20 bodies at once with one key make one entry', async () => {
  const seller = await makeSeller(server, 0)
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => move(seller, 'k', { amount: n + 1 })))
  assert.equal(answers.map(({ status }) => status).sort(), [201, ...Array(19).fill(409)])
  assert.is((await ledgerOf(seller)).length, 1)
})

test('B7, B8: 20 grants at once with a key each are all entered, one after the other', async () => {
  const seller = await makeSeller(server, 0)
  await Promise.all(Array.from({ length: 20 }, (_, n) => move(seller, `k${n}`, { amount: n + 1 })))
  const entries = (await ledgerOf(seller)).reverse()
  let balance = 0
  for (const { amount, balance_after } of entries) {
    balance += amount
    assert.is(balance_after, balance)
  }
  assert.is(balance, 210)
  assert.is(await balanceOf(seller), 210)
})

test('B8: a key survives a restart of the server', async () => {
  const seller = await makeSeller(server, 0)
  const first = await move(seller, 'k', { amount: 5 })
  await server.restart()
  const again = await move(seller, 'k', { amount: 5 })
  assert.is(again.status, 200)
  assert.equal(again.body, first.body)
})

test('B8: no key of a client meets one of the program', async () => {
  const graceful = await startServer({ REFUND_GRACE: '1m' })
  try {
    const seller = await makeSeller(graceful, 5)
    const { token, livestreamId } = seller
    const start = await graceful.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
    const key = `program:refund:${start.body.run_id}:1`
    const grant = await graceful.request('POST', `/api/sellers/${seller.id}/credits/`, {
      token: graceful.token('host', 'service'),
      headers: { 'Idempotency-Key': key },
      body: { amount: 1 },
    })
    assert.is(grant.status, 201)
    for (let minutes = 0; minutes < 30; minutes += 10) {
      await graceful.pass(10 * MINUTE_MS)
      await graceful.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token })
    }
    const end = await graceful.request('PATCH', `/api/livestreams/end/${livestreamId}/`, { token })
    assert.equal([end.status, end.body.credits_consumed, end.body.remaining_credits], [200, 1, 5])
  } finally {
    await graceful.close()
  }
})

test('B10: a deduction is given back once', async () => {
  const { seller, deductions } = await sellerWithDeductions(5, 2)
  const corrects = deductions[0]?.id
  const refund = await move(seller, 'refund', { amount: 1, corrects })
  assert.is(refund.status, 201)
  const { kind, run_id, interval_index } = refund.body.entry
  assert.equal([kind, run_id, interval_index], ['refund', deductions[0]?.run_id, 0])
  assert.is(refund.body.entry.corrects, corrects)
  assert.is(refund.body.balance, 4)
  const again = await move(seller, 'refund', { amount: 1, corrects })
  assert.equal([again.status, again.body], [200, refund.body])
  const twice = await move(seller, 'another-key', { amount: 1, corrects })
  assert.equal([twice.status, twice.body.code], [409, 'already_refunded'])
  assert.is(await balanceOf(seller), 4)
})

test('B10: of 20 refunds at once of one deduction, each with a key of its own, one is made', async () => {
  const { seller, deductions } = await sellerWithDeductions(5, 1)
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => move(seller, `r${n}`, { amount: 1, corrects: deductions[0]?.id })),
  )
  assert.equal(answers.map(({ status }) => status).sort(), [201, ...Array(19).fill(409)])
  assert.is(await balanceOf(seller), 5)
})

test('B10, E4: the deduction of an ended run is given back too, and the run stays ended', async () => {
  const { seller, deductions } = await sellerWithDeductions(5, 2)
  const { token, livestreamId } = seller
  await server.request('PATCH', `/api/livestreams/end/${livestreamId}/`, { token })
  await move(seller, 'refund', { amount: 1, corrects: deductions[1]?.id })
  const { body } = await server.request('GET', `/api/livestreams/${livestreamId}/`, { token })
  assert.equal([body.run.status, body.run.credits_consumed], ['ended', 1])
})

test('B10: a refund is of what it says, and of nothing else', async () => {
  const { seller, deductions } = await sellerWithDeductions(5, 1)
  const { seller: other } = await sellerWithDeductions(5, 1)
  const deduction = deductions[0]?.id
  const grant = (await ledgerOf(seller)).find(({ kind }) => kind === 'grant')?.id
  const refunded = (await move(other, 'r', { amount: 1, corrects: (await ledgerOf(other))[0]?.id })).body.entry.id
  const before = await databaseFacts(server.database)
  const refusals: { what: string; of?: TestSeller; amount: number; corrects: unknown; code: string; status: number }[] =
    [
      { what: 'more than it was', amount: 2, corrects: deduction, status: 422, code: 'invalid_request' },
      { what: 'below 0', amount: -1, corrects: deduction, status: 422, code: 'invalid_request' },
      { what: "another seller's", of: other, amount: 1, corrects: deduction, status: 404, code: 'entry_not_found' },
      { what: 'a grant', amount: 5, corrects: grant, status: 404, code: 'entry_not_found' },
      { what: 'a refund', of: other, amount: 1, corrects: refunded, status: 404, code: 'entry_not_found' },
      { what: 'none at all', amount: 1, corrects: MOST, status: 404, code: 'entry_not_found' },
      { what: 'entry 0', amount: 1, corrects: 0, status: 422, code: 'invalid_request' },
      { what: 'entry -1', amount: 1, corrects: -1, status: 422, code: 'invalid_request' },
      { what: 'entry 1.5', amount: 1, corrects: 1.5, status: 422, code: 'invalid_request' },
      { what: 'an id as text', amount: 1, corrects: String(deduction), status: 422, code: 'invalid_request' },
      { what: 'null', amount: 1, corrects: null, status: 422, code: 'invalid_request' },
    ]
  for (const [index, { what, of = seller, amount, corrects, status, code }] of refusals.entries()) {
    const answer = await move(of, `refused-${index}`, { amount, corrects })
    assert.equal([answer.status, answer.body.code], [status, code], what)
  }
  assert.equal(await databaseFacts(server.database), before)
})

test('N, B3: an adjustment may empty the account, and no more', async () => {
  const seller = await makeSeller(server, 3)
  const tooMuch = await move(seller, 'a', { amount: -4 })
  assert.equal([tooMuch.status, tooMuch.body.code], [409, 'balance_would_be_negative'])
  assert.is((await move(seller, 'b', { amount: -3 })).body.balance, 0)
  assert.is((await move(seller, 'c', { amount: -1 })).status, 409)
  assert.is((await move(seller, 'd', { amount: -MOST })).status, 409)
  assert.is(await balanceOf(seller), 0)
})

test('N, B11: an adjustment comes after everything that is due', async () => {
  const seller = await makeSeller(server, 2)
  const { token, livestreamId } = seller
  await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  for (const minutes of [10, 10, 10]) {
    await server.pass(minutes * MINUTE_MS)
    await server.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token })
  }
  assert.is(
    (await move(seller, 'a', { amount: -1 })).status,
    409,
    'the one credit left has paid for the second interval',
  )
})

test('B1: an account holds whole credits up to 2^53 - 1 exactly, and no more', async () => {
  const seller = await makeSeller(server, 0)
  const { token, livestreamId } = seller
  assert.is((await move(seller, 'a', { amount: MOST })).body.balance, MOST)
  const over = await move(seller, 'b', { amount: 1 })
  assert.equal([over.status, over.body.code], [409, 'balance_too_large'])
  const start = await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  assert.equal([start.status, start.body.remaining_credits], [200, MOST - 1])
  assert.is(start.body.credits_run_out_at, toTimestamp(Number.POSITIVE_INFINITY))
  const [deduction] = await ledgerOf(seller)
  await move(seller, 'c', { amount: 1 })
  const refund = await move(seller, 'd', { amount: 1, corrects: deduction?.id })
  assert.equal([refund.status, refund.body.code], [409, 'balance_too_large'])
  assert.is((await move(seller, 'e', { amount: -MOST })).body.balance, 0)
})

const badKeys: { what: string; headers: Record<string, string> }[] = [
  { what: 'none', headers: {} },
  { what: 'an empty one', headers: { 'Idempotency-Key': '' } },
  { what: 'one with a space', headers: { 'Idempotency-Key': 'a b' } },
  { what: 'one that is no ASCII', headers: { 'Idempotency-Key': 'caf\u00e9' } },
  { what: '256 characters', headers: { 'Idempotency-Key': 'k'.repeat(256) } },
]
for (const { what, headers } of badKeys) {
  test(`B8, H1: an Idempotency-Key is needed, and not ${what}`, async () => {
    const seller = await makeSeller(server, 0)
    const path = `/api/sellers/${seller.id}/credits/`
    const { status, body } = await server.request('POST', path, { token: service, headers, body: { amount: 1 } })
    assert.equal([status, body.code, body.field], [422, 'invalid_request', 'Idempotency-Key'])
    assert.is(await balanceOf(seller), 0)
  })
}

test('B8: a key may have 255 visible ASCII characters', async () => {
  const seller = await makeSeller(server, 0)
  assert.is((await move(seller, `"'\\%_;--${'~'.repeat(247)}`, { amount: 1 })).status, 201)
})

const reasons = ['it\'s "quoted"; drop table', 'Größe 🎥', 'two\nlines', 'x'.repeat(500), '']
for (const reason of reasons) {
  test(`N: a reason is kept as it is: ${JSON.stringify(reason).slice(0, 40)}`, async () => {
    const seller = await makeSeller(server, 0)
    const first = await move(seller, 'k', { amount: 1, reason })
    assert.is(first.status, 201)
    assert.is(first.body.entry.reason, reason)
    assert.is((await move(seller, 'k', { amount: 1, reason })).status, 200)
  })
}

test.run()
