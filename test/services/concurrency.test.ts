import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS } from '../../server/domain/instant.js'
import { createMetering } from '../../server/services/metering.js'
import { sweepOnce } from '../../server/services/sweep.js'
import { serverTimekeeper } from '../../server/services/timekeeper.js'
import { faultsOfBooks } from '../support/books.js'
import { elapse } from '../support/elapse.js'
import { goLive } from '../support/many-sellers.js'
import { runCli, secondProcess } from '../support/second-process.js'
import { makeSeller, type TestSeller } from '../support/sellers.js'
import { type Answer, startServer } from '../support/server.js'

// What comes at once from many requests, and from a second process: the same database on a connection of its own.

const server = await startServer({ SWEEP_INTERVAL: 'off', REFUND_GRACE: '1m' })
const second = secondProcess(server)
const service = server.token('host', 'service')
test.after(server.close)
test.after.each(async () => {
  assert.equal(await faultsOfBooks(server.database), [])
})

let keys = 0
const uniqueKey = (): string => {
  keys += 1
  return `key-${keys}`
}
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
const move = (sellerId: string, body: object, key = uniqueKey()): Promise<Answer> =>
  server.request('POST', `/api/sellers/${sellerId}/credits/`, {
    token: service,
    headers: { 'Idempotency-Key': key },
    body,
  })
const act = ({ token, livestreamId }: TestSeller, action: 'start' | 'end', id = livestreamId): Promise<Answer> =>
  server.request('PATCH', `/api/livestreams/${id}/${action}/`, { token })

async function balanceOf({ token }: TestSeller): Promise<number> {
  return (await server.request('GET', '/api/credits/', { token })).body.balance
}

async function livestreams({ token }: TestSeller, count: number): Promise<string[]> {
  const made = times(count, (index) =>
    server.request('POST', '/api/livestreams/', { token, body: { title: `Stream ${index}` } }),
  )
  return (await Promise.all(made)).map(({ body }) => body.id)
}

/** How often each code, or else status, was answered. */
function count(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const name = body.code ?? String(status)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

test('B3: fifty starts at once on twenty credits: twenty are paid', async () => {
  const ann = await makeSeller(server, 20)
  const ids = await livestreams(ann, 50)
  const answers = await Promise.all(ids.map((id) => act(ann, 'start', id)))
  assert.equal(count(answers), { 200: 20, insufficient_credits: 30 })
  assert.is(await balanceOf(ann), 0)
  const balances = answers.flatMap(({ body }) => body.remaining_credits ?? [])
  assert.equal(
    balances.sort((a, b) => a - b),
    times(20, (index) => index),
  )
})

test('E2: fifty starts of one livestream at once open one run, and fifty ends close it once', async () => {
  const ann = await makeSeller(server, 20)
  const started = await Promise.all(times(50, () => act(ann, 'start')))
  assert.equal(count(started), { 200: 1, livestream_already_live: 49 })
  assert.is(new Set(started.map(({ body }) => body.run_id)).size, 1)
  const ended = await Promise.all(times(50, () => act(ann, 'end')))
  assert.equal(count(ended), { 200: 1, livestream_not_live: 49 })
  assert.is(await balanceOf(ann), 19)
})

test('B3: fifty adjustments at once never take the balance below 0, whoever makes them', async () => {
  const ann = await makeSeller(server, 20)
  const taken = await Promise.all([
    ...times(25, async () => (await move(ann.id, { amount: -1 })).status === 201),
    ...times(25, () =>
      second.move(ann.id, -1).then(
        () => true,
        ({ code }) => {
          assert.is(code, 'balance_would_be_negative')
          return false
        },
      ),
    ),
  ])
  assert.is(taken.filter(Boolean).length, 20)
  assert.is(await balanceOf(ann), 0)
})

test('B8: fifty grants at once with one key are one grant, all with the first answer', async () => {
  const ann = await makeSeller(server, 0)
  const answers = await Promise.all(times(50, () => move(ann.id, { amount: 7 }, 'the-key')))
  assert.equal(count(answers), { 201: 1, 200: 49 })
  for (const { body } of answers) assert.equal(body, answers[0]?.body)
  assert.is(await balanceOf(ann), 7)
})

test('B8: of fifty different grants at once with one key, one wins', async () => {
  const ann = await makeSeller(server, 0)
  const answers = await Promise.all(times(50, (index) => move(ann.id, { amount: index + 1 }, 'the-key')))
  assert.equal(count(answers), { 201: 1, idempotency_key_reused: 49 })
  assert.is(await balanceOf(ann), answers.find(({ status }) => status === 201)?.body.entry.amount)
})

test('B8: one key granted by four processes at once is one grant', async () => {
  const ann = await makeSeller(server, 0)
  const printed = await Promise.all(
    times(4, () => runCli(server, 'grant', '--seller', ann.id, '--credits', '3', '--key', 'of-four')),
  )
  assert.is(printed.filter((text) => text.includes('the balance is 3')).length, 1)
  assert.is(printed.filter((text) => text.includes('nothing to do')).length, 3)
  assert.is(await balanceOf(ann), 3)
})

test('B10: fifty refunds of one deduction at once give it back once', async () => {
  const ann = await makeSeller(server, 5)
  await act(ann, 'start')
  const { body } = await server.request('GET', '/api/credits/ledger/', { token: ann.token })
  const answers = await Promise.all(times(50, () => move(ann.id, { amount: 1, corrects: body.items[0].id })))
  assert.equal(count(answers), { 201: 1, already_refunded: 49 })
  assert.is(await balanceOf(ann), 5)
})

test('B3, B7, V2: starts, ends, grants, adjustments and refunds at once, from two processes, keep the books', async () => {
  const ann = await makeSeller(server, 10)
  const ids = await livestreams(ann, 50)
  const all: Promise<unknown>[] = []
  for (const id of ids) {
    all.push(act(ann, 'start', id))
    all.push(move(ann.id, { amount: 1 }), move(ann.id, { amount: -2 }))
    all.push(
      second.move(ann.id, 1),
      second.move(ann.id, -1).catch(() => undefined),
    )
    all.push(act(ann, 'end', id))
  }
  const answers = (await Promise.all(all)).filter((answer): answer is Answer => Object.hasOwn(answer ?? {}, 'status'))
  const { items } = (await server.request('GET', '/api/credits/ledger/?limit=1000', { token: ann.token })).body
  const refunds = items
    .filter(({ kind }: { kind: string }) => kind === 'deduction')
    .flatMap(({ id }: { id: number }) => [
      move(ann.id, { amount: 1, corrects: id }),
      move(ann.id, { amount: 1, corrects: id }),
    ])
  answers.push(...(await Promise.all<Answer>(refunds)))
  const expected = ['200', '201', 'insufficient_credits', 'livestream_not_live', 'balance_would_be_negative']
  for (const code of Object.keys(count(answers))) assert.ok([...expected, 'already_refunded'].includes(code), code)
  assert.is(count(answers)['already_refunded'], refunds.length / 2)
  assert.is(await balanceOf(ann), items[0].balance_after + refunds.length / 2)
})

test('B5, B11: many who look at once, and two sweeps, deduct each interval once', async () => {
  const { policy } = server.config
  const sellers = await goLive(server.database, { count: 60, credits: 6, at: server.clock.now(), policy })
  const other = { db: server.database.db, clock: server.clock, announce: () => undefined }
  const anotherServer = createMetering({ ...other, timekeeper: serverTimekeeper(server.clock, 'another-server') })
  // Ten silent minutes, and each interval comes while everybody is warned.
  for (let round = 1; round <= 4; round += 1) {
    await elapse(server, 14 * MINUTE_MS)
    await Promise.all([
      server.app.sweep(),
      sweepOnce(anotherServer, server.clock),
      sweepOnce(second.metering, server.clock),
      server.app.sweep(),
      ...sellers
        .slice(0, 20)
        .map(({ id, livestreamId }) =>
          server.request('POST', `/api/livestreams/${livestreamId}/check_credits/`, { token: server.token(id) }),
        ),
    ])
    await Promise.all(
      sellers.map(({ id, livestreamId }) =>
        server.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token: server.token(id) }),
      ),
    )
  }
  await server.pass(5 * MINUTE_MS)
  const rows = await server.database.db.selectFrom('runs').selectAll().where('seller_id', 'like', 'live-%').execute()
  assert.is(rows.length, 60)
  for (const run of rows) assert.equal([run.ended_at, run.billed_intervals, run.credits_consumed], [null, 3, 3])
})

test.run()
