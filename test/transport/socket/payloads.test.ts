import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { CreditUpdate, EventKind, SellerEvent } from '../../../client-sdk/protocol/index.js'
import { MINUTE_MS } from '../../../server/domain/instant.js'
import { databaseFacts } from '../../support/database-facts.js'
import { elapse } from '../../support/elapse.js'
import { grant, makeSeller, type TestSeller } from '../../support/sellers.js'
import { startServer, type TestServer } from '../../support/server.js'
import { connect, disconnectAll, type TestSocket } from '../../support/sockets.js'

// The clock moves only by hand and nothing sweeps but the test, so that every payload can be written down whole.
const server = await startServer({ SWEEP_INTERVAL: 'off' })
test.after(async () => {
  disconnectAll()
  await server.close()
})

const at = (minutes: number): string => new Date(server.clock.now() + minutes * MINUTE_MS).toISOString()

interface Subscribed extends TestSocket {
  readonly seller: TestSeller
  readonly payload: { livestream_id: string }
  /** What came since it was last asked, once the sequence has come this far. */
  next(count: number): Promise<SellerEvent[]>
}

/** A seller with credits on a subscribed socket, who has heard of nothing yet. */
async function subscribed(on: TestServer, credits: number): Promise<Subscribed> {
  const seller = await makeSeller(on, credits)
  const socket = await connect(on.url, seller.token)
  const payload = { livestream_id: seller.livestreamId }
  const { seq } = await socket.ask('subscribe', payload)
  let seen: number = seq
  const next = async (count: number): Promise<SellerEvent[]> => {
    const events: SellerEvent[] = []
    for (; events.length < count; seen += 1) events.push(await socket.event(seen + 1))
    return events
  }
  return { ...socket, seller, payload, next }
}

test('S: a start is told as stream_started, credit_update and low_credit_warning', async () => {
  const ann = await subscribed(server, 2)
  const { run_id } = await ann.ask('start', ann.payload)
  const about = { occurred_at: at(0), livestream_id: ann.seller.livestreamId, run_id }
  const forecast = { next_deduction_at: at(30), credits_run_out_at: at(60) }
  assert.equal(await ann.next(3), [
    { event: 'stream_started', seq: 2, ...about, remaining_credits: 1, credits_consumed: 1, ...forecast },
    {
      event: 'credit_update',
      seq: 3,
      ...about,
      remaining_credits: 1,
      change: -1,
      kind: 'deduction',
      interval_index: 0,
      runs: [{ livestream_id: ann.seller.livestreamId, run_id, credits_consumed: 1, ...forecast }],
    },
    {
      event: 'low_credit_warning',
      seq: 4,
      ...about,
      remaining_credits: 1,
      threshold: 2,
      final: false,
      credits_run_out_at: at(60),
    },
  ])
})

test('S: silence is told as inactivity_warning, activity after it as inactivity_cleared', async () => {
  const ann = await subscribed(server, 10)
  const { run_id } = await ann.ask('start', ann.payload)
  await ann.next(2)
  await server.pass(11 * MINUTE_MS)
  const about = { livestream_id: ann.seller.livestreamId, run_id }
  const warning = { event: 'inactivity_warning', seq: 4, ...about, last_activity: at(-11), ends_at: at(4) }
  assert.equal(await ann.next(1), [{ ...warning, occurred_at: at(-1), inactive_minutes: 11 }])
  await ann.ask('ping', ann.payload)
  const cleared = { event: 'inactivity_cleared', seq: 5, ...about, last_activity: at(0), occurred_at: at(0) }
  assert.equal(await ann.next(1), [cleared])
})

test('S: an end by the seller is told as stream_ended', async () => {
  const ann = await subscribed(server, 10)
  const { run_id } = await ann.ask('start', ann.payload)
  await elapse(server, 5.5 * MINUTE_MS)
  await ann.ask('end', ann.payload)
  const [, , ended] = await ann.next(3)
  assert.equal(ended, {
    event: 'stream_ended',
    seq: 4,
    occurred_at: at(0),
    livestream_id: ann.seller.livestreamId,
    run_id,
    reason: 'seller',
    message: 'Livestream ended by the seller',
    duration_minutes: 5,
    credits_consumed: 1,
    remaining_credits: 9,
  })
})

test('S: the final interval is told with final: true, and then the end for want of credits', async () => {
  const ann = await subscribed(server, 1)
  const { run_id } = await ann.ask('start', ann.payload)
  const about = { livestream_id: ann.seller.livestreamId, run_id }
  const [, , final] = await ann.next(3)
  const warning = { event: 'low_credit_warning', seq: 4, ...about, occurred_at: at(0), remaining_credits: 0 }
  assert.equal(final, { ...warning, threshold: 2, final: true, credits_run_out_at: at(30) })
  for (let minute = 0; minute < 30; minute += 5) {
    await ann.ask('ping', ann.payload)
    await server.pass(5 * MINUTE_MS)
  }
  assert.equal(await ann.next(1), [
    {
      event: 'stream_ended',
      seq: 5,
      ...about,
      occurred_at: at(0),
      reason: 'credits_exhausted',
      message: 'Livestream ended due to insufficient credits',
      duration_minutes: 30,
      credits_consumed: 1,
      remaining_credits: 0,
    },
  ])
})

test('S: grants, adjustments and refunds are told, of the account alone with nulls', async () => {
  const ann = await subscribed(server, 5)
  const service = server.token('host', 'service')
  const move = (body: object, key: string) =>
    server.request('POST', `/api/sellers/${ann.seller.id}/credits/`, {
      token: service,
      headers: { 'Idempotency-Key': key },
      body,
    })
  const account = { occurred_at: at(0), livestream_id: null, run_id: null }
  await grant(server, ann.seller.id, 3)
  await move({ amount: -6 }, 'an-adjustment')
  assert.equal(await ann.next(3), [
    {
      event: 'credit_update',
      seq: 2,
      ...account,
      remaining_credits: 8,
      change: 3,
      kind: 'grant',
      interval_index: null,
      runs: [],
    },
    {
      event: 'credit_update',
      seq: 3,
      ...account,
      remaining_credits: 2,
      change: -6,
      kind: 'adjustment',
      interval_index: null,
      runs: [],
    },
    {
      event: 'low_credit_warning',
      seq: 4,
      ...account,
      remaining_credits: 2,
      threshold: 2,
      final: false,
      credits_run_out_at: null,
    },
  ])

  const { run_id } = await ann.ask('start', ann.payload)
  await ann.next(3)
  const { body } = await server.request('GET', '/api/credits/ledger/', { token: ann.seller.token })
  await move({ amount: 1, corrects: body.items[0].id }, 'a-refund')
  const forecast = { next_deduction_at: at(30), credits_run_out_at: at(90) }
  assert.equal(await ann.next(1), [
    {
      event: 'credit_update',
      seq: 8,
      occurred_at: at(0),
      livestream_id: ann.seller.livestreamId,
      run_id,
      remaining_credits: 2,
      change: 1,
      kind: 'refund',
      interval_index: 0,
      runs: [{ livestream_id: ann.seller.livestreamId, run_id, credits_consumed: 0, ...forecast }],
    },
  ])
})

test('S: a seller with several runs is told of each, with all of them in every credit_update', async () => {
  const ann = await subscribed(server, 7)
  const { body } = await server.request('POST', '/api/livestreams/', {
    token: ann.seller.token,
    body: { title: 'Another' },
  })
  const second = { livestream_id: body.id as string }
  const first = await ann.ask('start', ann.payload)
  await elapse(server, 8 * MINUTE_MS)
  const other = await ann.ask('start', second)
  // Five credits left: 22 and 30 minutes from now, 52 and 60, and the first run again at 82; at 90 the other ends.
  const run = (of: { run_id: number }, id: string, rest: object) => ({ livestream_id: id, run_id: of.run_id, ...rest })
  const [, update] = (await ann.next(4)).slice(2) as [SellerEvent, CreditUpdate]
  assert.equal(update.runs, [
    run(first, ann.seller.livestreamId, {
      credits_consumed: 1,
      next_deduction_at: at(22),
      credits_run_out_at: at(112),
    }),
    run(other, body.id, { credits_consumed: 1, next_deduction_at: at(30), credits_run_out_at: at(90) }),
  ])
  assert.is(update.run_id, other.run_id)

  await ann.ask('end', second)
  await grant(server, ann.seller.id, 1)
  const [ended, granted] = (await ann.next(2)) as [SellerEvent, CreditUpdate]
  assert.is(ended.livestream_id, body.id)
  // Six credits for one run now.
  assert.equal(granted.runs, [
    run(first, ann.seller.livestreamId, {
      credits_consumed: 1,
      next_deduction_at: at(22),
      credits_run_out_at: at(22 + 6 * 30),
    }),
  ])
})

test('S: nothing but the fields of the specification, and the same as GET /api/events', async () => {
  const ann = await subscribed(server, 3)
  await ann.ask('start', ann.payload)
  await server.pass(10 * MINUTE_MS)
  await ann.ask('ping', ann.payload)
  await ann.ask('end', ann.payload)
  const { seq } = await ann.ask('subscribe', ann.payload)
  await ann.event(seq)
  const base = ['event', 'seq', 'occurred_at', 'livestream_id', 'run_id']
  const fields: Record<EventKind, string[]> = {
    stream_started: ['remaining_credits', 'credits_consumed', 'next_deduction_at', 'credits_run_out_at'],
    credit_update: ['remaining_credits', 'change', 'kind', 'interval_index', 'runs'],
    low_credit_warning: ['remaining_credits', 'threshold', 'final', 'credits_run_out_at'],
    inactivity_warning: ['last_activity', 'inactive_minutes', 'ends_at'],
    inactivity_cleared: ['last_activity'],
    stream_ended: ['reason', 'message', 'duration_minutes', 'credits_consumed', 'remaining_credits'],
  }
  assert.equal(new Set(ann.events.map(({ event }) => event)), new Set(Object.keys(fields)))
  for (const event of ann.events) {
    assert.equal(Object.keys(event).sort(), [...base, ...fields[event.event]].sort(), event.event)
  }
  const { body } = await server.request('GET', '/api/events/?after=1', { token: ann.seller.token })
  assert.equal(ann.events, body.items)
})

test('P4: answers have the field names of the REST routes, and those of the specification', async () => {
  const ann = await subscribed(server, 10)
  const path = `/api/livestreams/${ann.seller.livestreamId}`
  const rest = async (method: string, action: string) =>
    (await server.request(method, `${path}/${action}/`, { token: ann.seller.token })).body
  const sameFields = (answer: object, body: object, ...names: string[]) => {
    assert.equal(Object.keys(answer).sort(), ['ok', ...names].sort())
    assert.equal(Object.keys(body).sort(), names.sort())
  }
  const started = await ann.ask('start', ann.payload)
  const ping = await ann.ask('ping', ann.payload)
  const heartbeat = await rest('POST', 'heartbeat')
  const ended = await ann.ask('end', ann.payload)
  const startedBody = await rest('PATCH', 'start')
  const endedBody = await rest('PATCH', 'end')
  sameFields(
    started,
    startedBody,
    ...['message', 'remaining_credits', 'credits_consumed', 'run_id'],
    ...['started_at', 'next_deduction_at', 'credits_run_out_at'],
  )
  sameFields(ping, heartbeat, 'message', 'last_activity', 'remaining_credits', 'credits_consumed')
  sameFields(
    ended,
    endedBody,
    ...['message', 'duration_minutes', 'credits_consumed', 'remaining_credits', 'run_id', 'end_reason'],
  )
  assert.equal(ping, { ok: true, ...heartbeat })
  assert.is(started.message, startedBody.message)
  assert.is(ended.message, endedBody.message)
})

test('P4, S: a snapshot is the livestream as REST has it, with the balance, the policy and the sequence', async () => {
  const ann = await subscribed(server, 10)
  const before = await ann.ask('subscribe', ann.payload)
  assert.is(before.livestream.run, null)
  const { run_id } = await ann.ask('start', ann.payload)
  const { body } = await server.request('GET', `/api/livestreams/${ann.seller.livestreamId}/`, {
    token: ann.seller.token,
  })
  assert.equal(await ann.ask('subscribe', ann.payload), {
    ok: true,
    seq: 3,
    reset: false,
    server_time: at(0),
    protocol_version: 1,
    livestream: body,
    remaining_credits: 9,
    policy: {
      deduction_interval_ms: 30 * MINUTE_MS,
      inactivity_warning_ms: 10 * MINUTE_MS,
      inactivity_auto_end_ms: 15 * MINUTE_MS,
      low_credit_threshold: 2,
    },
  })
  assert.equal(body.run, {
    run_id,
    status: 'live',
    started_at: at(0),
    ended_at: null,
    end_reason: null,
    credits_consumed: 1,
    last_activity: at(0),
    next_deduction_at: at(30),
    credits_run_out_at: at(30 * 10),
  })
  assert.is(body.connected, true)
})

test('P4, B11: REST and socket see the same numbers at the same time', async () => {
  const ann = await subscribed(server, 20)
  const { token, livestreamId } = ann.seller
  const rest = async (method: string, path: string) => (await server.request(method, path, { token })).body
  await ann.ask('start', ann.payload)
  for (const minutes of [0, 4, 9, 9, 9, 0.5, 9, 9, 9, 14]) {
    await elapse(server, minutes * MINUTE_MS)
    // Whoever looks first settles; the others see what it left.
    const [ping, heartbeat, snapshot, view, credits] = await Promise.all([
      ann.ask('ping', ann.payload),
      rest('POST', `/api/livestreams/${livestreamId}/heartbeat/`),
      ann.ask('subscribe', ann.payload),
      rest('GET', `/api/livestreams/${livestreamId}/`),
      rest('GET', '/api/credits/'),
    ])
    assert.equal(ping, { ok: true, ...heartbeat })
    assert.is(ping.last_activity, at(0))
    for (const balance of [snapshot.remaining_credits, credits.balance]) assert.is(balance, ping.remaining_credits)
    for (const { run } of [snapshot.livestream, view]) assert.is(run.credits_consumed, ping.credits_consumed)
    assert.equal(snapshot.livestream.run.next_deduction_at, view.run.next_deduction_at)
    const newest = await ann.event(credits.seq)
    if (newest.event === 'credit_update') assert.is(newest.remaining_credits, credits.balance)
    assert.equal(credits.runs[0].credits_consumed, ping.credits_consumed)
  }
  // What ends by a look is ended for both.
  await elapse(server, 15 * MINUTE_MS)
  assert.is((await rest('POST', `/api/livestreams/${livestreamId}/heartbeat/`)).code, 'livestream_not_live')
  const late = await ann.ask('ping', ann.payload)
  assert.is(late.code, 'livestream_not_live')
  assert.is(late.end_reason, 'inactivity')
  const { seq } = await ann.ask('subscribe', ann.payload)
  assert.is((await ann.event(seq)).event, 'stream_ended')
})

test('A1: being connected, subscribing and being shown are no activity', async () => {
  const ann = await subscribed(server, 10)
  await ann.ask('start', ann.payload)
  await elapse(server, 9 * MINUTE_MS)
  const before = await databaseFacts(server.database)
  await connect(server.url, ann.seller.token)
  const { livestream } = await ann.ask('subscribe', ann.payload)
  assert.is(livestream.connected, true)
  assert.is(livestream.run.last_activity, at(-9))
  assert.equal(await databaseFacts(server.database), before)
  await server.pass(MINUTE_MS)
  const [, , warned] = await ann.next(3)
  assert.is(warned?.event, 'inactivity_warning')
})

test.run()
