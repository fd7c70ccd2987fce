import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS } from '../../../server/domain/instant.js'
import { elapse } from '../../support/elapse.js'
import { grant, makeSeller, type TestSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

// Nobody sweeps here: whatever is deducted or ended is so by the look itself.
const server = await startServer({ SWEEP_INTERVAL: 'off' })
test.after(() => server.close())

async function check({ livestreamId, token }: TestSeller) {
  const { status, body } = await server.request('POST', `/api/livestreams/${livestreamId}/check_credits/`, { token })
  return { status, body }
}

async function startedSeller(credits: number): Promise<TestSeller> {
  const seller = await makeSeller(server, credits)
  await act('PATCH', 'start', seller)
  return seller
}

async function act(method: string, action: string, { livestreamId, token }: TestSeller): Promise<void> {
  const { status } = await server.request(method, `/api/livestreams/${livestreamId}/${action}/`, { token })
  assert.is(status, 200)
}

/** Lets time pass as a page does that sends its heartbeats. */
async function stream(seller: TestSeller, minutes: number): Promise<void> {
  for (let left = minutes; left > 0; left -= 5) {
    await elapse(server, Math.min(5, left) * MINUTE_MS)
    await act('POST', 'heartbeat', seller)
  }
}

test('H: live, nothing due', async () => {
  const seller = await startedSeller(6)
  await elapse(server, 5 * MINUTE_MS)
  assert.equal(await check(seller), {
    status: 200,
    body: {
      message: 'Credits checked successfully',
      livestream_ended: false,
      remaining_credits: 5,
      credits_consumed: 1,
      time_until_next_deduction_minutes: 25,
      credit_deducted: 0,
      total_credits_consumed: 1,
    },
  })
})

test('H, B11: live, and the look itself deducts', async () => {
  const seller = await startedSeller(6)
  await stream(seller, 25)
  await elapse(server, 5 * MINUTE_MS)
  const { body } = await check(seller)
  assert.is(body.credit_deducted, 1)
  assert.is(body.remaining_credits, 4)
  assert.is(body.time_until_next_deduction_minutes, 30)
  const again = await check(seller)
  assert.is(again.body.credit_deducted, 0)
  assert.is(again.body.remaining_credits, 4)
})

test('H: credit_deducted counts this livestream only, though the account pays for another too', async () => {
  const seller = await startedSeller(6)
  const other = { ...seller, livestreamId: `${seller.livestreamId}-b` }
  await server.request('POST', '/api/livestreams/', {
    token: server.token('host', 'service'),
    body: { title: 'Second', id: other.livestreamId, seller_id: seller.id },
  })
  await act('PATCH', 'start', other)
  await stream(seller, 10)
  await act('POST', 'heartbeat', other)
  await stream(seller, 10)
  await act('POST', 'heartbeat', other)
  await elapse(server, 10 * MINUTE_MS)
  const { body } = await check(seller)
  assert.is(body.credit_deducted, 1)
  assert.is(body.remaining_credits, 2)
})

test('H: total_credits_consumed is over all runs, credits_consumed of the last one', async () => {
  const seller = await startedSeller(6)
  await stream(seller, 30)
  await act('PATCH', 'end', seller)
  await act('PATCH', 'start', seller)
  const { body } = await check(seller)
  assert.is(body.credits_consumed, 1)
  assert.is(body.total_credits_consumed, 3)
})

test('H: credits_consumed and the total are less what was refunded', async () => {
  const seller = await startedSeller(6)
  const ledger = await server.request('GET', '/api/credits/ledger/', { token: seller.token })
  await server.request('POST', `/api/sellers/${seller.id}/credits/`, {
    token: server.token('host', 'service'),
    headers: { 'Idempotency-Key': 'give-back' },
    body: { amount: 1, corrects: ledger.body.items[0].id },
  })
  const { body } = await check(seller)
  assert.is(body.credits_consumed, 0)
  assert.is(body.total_credits_consumed, 0)
  assert.is(body.remaining_credits, 6)
})

const ends: { why: string; credits: number; until: (seller: TestSeller) => Promise<void>; body: object }[] = [
  {
    why: 'ends by this look for want of credits',
    credits: 1,
    until: async (seller) => {
      await stream(seller, 25)
      await elapse(server, 5 * MINUTE_MS)
    },
    body: {
      message: 'Livestream ended due to insufficient credits',
      remaining_credits: 0,
      credits_consumed: 1,
      end_reason: 'credits_exhausted',
    },
  },
  {
    why: 'ends by this look for want of activity',
    credits: 5,
    until: () => elapse(server, 3 * 60 * MINUTE_MS),
    body: {
      message: 'Livestream ended due to inactivity',
      remaining_credits: 4,
      credits_consumed: 1,
      end_reason: 'inactivity',
    },
  },
  {
    why: 'was ended by its seller before',
    credits: 5,
    until: async (seller) => {
      await act('PATCH', 'end', seller)
      await grant(server, seller.id, 3)
    },
    body: {
      message: 'Livestream ended by the seller',
      remaining_credits: 7,
      credits_consumed: 1,
      end_reason: 'seller',
    },
  },
  {
    why: 'was ended by an operator before',
    credits: 5,
    until: async ({ livestreamId }) => {
      const token = server.token('ops', 'operator')
      await server.request('POST', `/api/livestreams/${livestreamId}/force_end/`, { token })
    },
    body: {
      message: 'Livestream ended by an operator',
      remaining_credits: 4,
      credits_consumed: 1,
      end_reason: 'operator',
    },
  },
]

for (const { why, credits, until, body } of ends) {
  test(`H: ${why}`, async () => {
    const seller = await startedSeller(credits)
    await until(seller)
    const expected = { status: 200, body: { ...body, livestream_ended: true } }
    assert.equal(await check(seller), expected)
    assert.equal(await check(seller), expected, 'asked again')
  })
}

test('A1: a check is no activity', async () => {
  const seller = await startedSeller(5)
  for (let minutes = 0; minutes < 15; minutes += 5) {
    assert.is((await check(seller)).body.livestream_ended, false)
    await elapse(server, 5 * MINUTE_MS)
  }
  assert.is((await check(seller)).body.end_reason, 'inactivity')
})

const roundings = [
  { afterMs: 0, minutes: 30 },
  { afterMs: 1, minutes: 29 },
  { afterMs: MINUTE_MS - 1, minutes: 29 },
  { afterMs: MINUTE_MS, minutes: 29 },
  { afterMs: MINUTE_MS + 1, minutes: 28 },
  { afterMs: 10 * MINUTE_MS, minutes: 20 },
]

for (const { afterMs, minutes } of roundings) {
  test(`H2: ${afterMs} ms after the start it is ${minutes} whole minutes to the next deduction`, async () => {
    const seller = await startedSeller(5)
    await elapse(server, afterMs)
    assert.is((await check(seller)).body.time_until_next_deduction_minutes, minutes)
  })
}

test('H2: in the last minute of an interval it is 0', async () => {
  const seller = await startedSeller(5)
  await stream(seller, 25)
  await elapse(server, 5 * MINUTE_MS - 1)
  const { body } = await check(seller)
  assert.is(body.time_until_next_deduction_minutes, 0)
  assert.is(body.credit_deducted, 0)
})

test.run()
