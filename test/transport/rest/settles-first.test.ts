import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS, toTimestamp } from '../../../server/domain/instant.js'
import { elapse } from '../../support/elapse.js'
import { makeSeller, type TestSeller } from '../../support/sellers.js'
import { type Answer, startServer } from '../../support/server.js'

// Nobody sweeps here: what is up to date was settled by who asked.
const server = await startServer({ SWEEP_INTERVAL: 'off' })
test.after(() => server.close())

async function startedSeller(credits: number): Promise<TestSeller> {
  const seller = await makeSeller(server, credits)
  await server.request('PATCH', `/api/livestreams/start/${seller.livestreamId}/`, seller)
  return seller
}

/** Streams for an interval with heartbeats, so that interval 1 is due at the end of it, and nobody has looked. */
async function untilSecondInterval(seller: TestSeller): Promise<void> {
  for (const minutes of [9, 9, 9]) {
    await elapse(server, minutes * MINUTE_MS)
    await server.request('POST', `/api/livestreams/${seller.livestreamId}/heartbeat/`, seller)
  }
  await elapse(server, 3 * MINUTE_MS)
}

const operator = server.token('ops', 'operator')
type Body = Answer['body']

/** What an answer shows of a seller with 5 credits once interval 1 is paid, and of one with 1 credit that has none left. */
interface Look {
  readonly path: string
  shown(body: Body, seller: TestSeller): unknown
  readonly paid: unknown
  readonly ended: unknown
}

const runShown = (run: Body) => [run.status, run.credits_consumed]
const runInList = (items: Body, { livestreamId }: TestSeller) =>
  items.filter(({ id }: { id: string }) => id === livestreamId).map(({ run }: Body) => runShown(run))

const looks: Look[] = [
  {
    path: '/api/livestreams/{id}/',
    shown: ({ run }) => runShown(run),
    paid: ['live', 2],
    ended: ['ended', 1],
  },
  {
    path: '/api/livestreams/{id}/snapshot/',
    shown: ({ livestream, remaining_credits, seq }) => [...runShown(livestream.run), remaining_credits, seq],
    paid: ['live', 2, 3, 4],
    ended: ['ended', 1, 0, 5],
  },
  {
    path: '/api/livestreams/',
    shown: ({ items }, seller) => runInList(items, seller),
    paid: [['live', 2]],
    ended: [['ended', 1]],
  },
  {
    path: '/api/livestreams/?status=live',
    shown: ({ items }, seller) => runInList(items, seller),
    paid: [['live', 2]],
    ended: [],
  },
  {
    path: '/api/credits/',
    shown: ({ balance, runs }) => [balance, runs.map((run: Body) => run.credits_consumed)],
    paid: [3, [2]],
    ended: [0, []],
  },
  {
    path: '/api/credits/ledger/',
    shown: ({ items }) => items.map((item: Body) => item.balance_after),
    paid: [3, 4, 5],
    ended: [0, 1],
  },
  {
    path: '/api/livestreams/{id}/ledger/',
    shown: ({ items }) => items.map((item: Body) => item.interval_index),
    paid: [1, 0],
    ended: [0],
  },
  {
    path: '/api/events/?after=3',
    shown: ({ items }) => items.map((item: Body) => item.event),
    paid: ['credit_update'],
    ended: ['low_credit_warning', 'stream_ended'],
  },
]

async function look({ path, shown }: Look, seller: TestSeller): Promise<unknown> {
  const { body } = await server.request('GET', path.replace('{id}', seller.livestreamId), seller)
  return shown(body, seller)
}

for (const one of looks) {
  test(`B11: GET ${one.path} shows the deduction that was due`, async () => {
    const seller = await startedSeller(5)
    await untilSecondInterval(seller)
    assert.equal(await look(one, seller), one.paid)
  })

  test(`B11: GET ${one.path} shows the end for want of credits that was due`, async () => {
    const seller = await startedSeller(1)
    await untilSecondInterval(seller)
    assert.equal(await look(one, seller), one.ended)
  })
}

test('B11: the status shows what was due of everybody', async () => {
  const paying = await startedSeller(5)
  await untilSecondInterval(paying)
  const status = () => server.request('GET', '/api/livestreams/credit-monitor/status/', { token: operator })
  assert.equal(runInList((await status()).body.live, paying), [['live', 2]])
  await elapse(server, 60 * MINUTE_MS)
  assert.equal((await status()).body.live, [])
})

test('B11, A4: a look long after shows the end where it was due, and nothing paid after it', async () => {
  const seller = await startedSeller(50)
  const startedAt = server.clock.now()
  await elapse(server, 24 * 60 * MINUTE_MS)
  const { body } = await server.request('GET', `/api/livestreams/${seller.livestreamId}/`, seller)
  assert.equal(
    [body.run.status, body.run.end_reason, body.run.ended_at, body.run.credits_consumed],
    ['ended', 'inactivity', toTimestamp(startedAt + 15 * MINUTE_MS), 1],
  )
})

test('B11, A5: a bare jump of the clock is an outage: it ends no run and charges for none of it', async () => {
  const seller = await startedSeller(50)
  server.clock.advance(24 * 60 * MINUTE_MS)
  const { body } = await server.request('GET', `/api/livestreams/${seller.livestreamId}/`, seller)
  assert.is(body.run.status, 'live')
  const again = await server.request('POST', `/api/livestreams/${seller.livestreamId}/heartbeat/`, seller)
  assert.is(again.status, 200)
})

const acts: { what: string; ask: (seller: TestSeller) => Promise<Answer>; balance: number }[] = [
  {
    what: 'a grant',
    ask: ({ id }) =>
      server.request('POST', `/api/sellers/${id}/credits/`, {
        token: operator,
        headers: { 'Idempotency-Key': 'k' },
        body: { amount: 10 },
      }),
    balance: 13,
  },
  {
    what: 'an end',
    ask: ({ livestreamId, token }) => server.request('PATCH', `/api/livestreams/end/${livestreamId}/`, { token }),
    balance: 3,
  },
  {
    what: 'a forced end',
    ask: ({ livestreamId }) =>
      server.request('POST', `/api/livestreams/${livestreamId}/force_end/`, { token: operator }),
    balance: 3,
  },
  {
    what: 'a start that is refused',
    ask: ({ livestreamId, token }) => server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token }),
    balance: 3,
  },
  {
    what: 'a heartbeat',
    ask: ({ livestreamId, token }) => server.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token }),
    balance: 3,
  },
]

for (const { what, ask, balance } of acts) {
  test(`B4, B11: ${what} comes after the deduction that was due at its instant`, async () => {
    const seller = await startedSeller(5)
    await untilSecondInterval(seller)
    await ask(seller)
    const entries = server.database.db.selectFrom('ledger_entries').selectAll().where('seller_id', '=', seller.id)
    const own = await entries.orderBy('id').execute()
    assert.is(own.filter(({ kind }) => kind === 'deduction').length, 2)
    assert.is(own.at(-1)?.balance_after, balance)
  })
}

test('B3, B11: a grant at the instant at which the credits are gone comes too late for that run', async () => {
  const seller = await startedSeller(1)
  await untilSecondInterval(seller)
  await server.request('POST', `/api/sellers/${seller.id}/credits/`, {
    token: operator,
    headers: { 'Idempotency-Key': 'late' },
    body: { amount: 10 },
  })
  const { body } = await server.request('GET', `/api/livestreams/${seller.livestreamId}/`, seller)
  assert.equal([body.run.status, body.run.end_reason], ['ended', 'credits_exhausted'])
  const { body: credits } = await server.request('GET', '/api/credits/', seller)
  assert.is(credits.balance, 10)
})

test.run()
