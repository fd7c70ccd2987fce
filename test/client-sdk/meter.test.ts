import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MeterError } from '../../client-sdk/src/index.js'
import { elapse } from '../support/elapse.js'
import { freePort } from '../support/free-port.js'
import { type Gate, openGate } from '../support/gate.js'
import { grant, makeSeller } from '../support/sellers.js'
import { startServer, type TestServer } from '../support/server.js'
import { until, type WatchedMeter, watchedMeter } from './watched-meter.js'

const MINUTE_MS = 60_000

let server: TestServer
let gate: Gate
const watched: WatchedMeter[] = []

/** A meter behind the gate, which is gone when the test is over. */
function watch(...[seller, options, pace]: [Parameters<typeof watchedMeter>[1], ...Tail]): WatchedMeter {
  const made = watchedMeter(gate.url, seller, options, pace)
  watched.push(made)
  return made
}
type Tail = [options?: Parameters<typeof watchedMeter>[2], pace?: number]

test.before(async () => {
  server = await startServer({ PORT: String(await freePort()) })
  gate = await openGate(() => server.url)
})
test.after.each(() => {
  for (const { meter } of watched.splice(0)) meter.destroy()
  Object.assign(gate, { pass: 'all', muted: false, asked: [] })
})
test.after(async () => {
  await gate.close()
  await server.close()
})

test('nothing is connected before it is asked for, and no option is looked at', () => {
  const { meter } = watch({ livestreamId: '', token: '' }, { url: 'nonsense' })
  assert.is(meter.state, 'idle')
  assert.is(meter.snapshot.connection, null)
  assert.equal(gate.asked, [])
})

test('P3: start, ping and end answer, and the events come once and in order', async () => {
  const seller = await makeSeller(server, 4)
  const { meter, events, states } = watch(seller)
  const started = await meter.start()
  assert.is(meter.state, 'live', 'as soon as it is answered')
  assert.is(meter.snapshot.run?.run_id, started.run_id)
  assert.is(meter.snapshot.remaining_credits, 3)
  assert.is(meter.snapshot.connection, 'socket')
  server.clock.advance(1_000)
  const { last_activity } = await meter.ping()
  assert.is(meter.snapshot.run?.last_activity, last_activity)
  const ended = await meter.end()
  assert.is(ended.end_reason, 'seller')
  assert.is(meter.state, 'ended')
  assert.is(meter.snapshot.end?.reason, 'seller')
  assert.equal(events, ['2 stream_started', '3 credit_update', '4 stream_ended'])
  assert.equal(states, ['connecting', 'idle', 'live', 'ended'])
  await meter.start()
  assert.is(meter.state, 'live', 'E2: and again')
  assert.is(meter.snapshot.end, null)
})

test('connect watches: another page starts, and credits are bought', async () => {
  const seller = await makeSeller(server, 4)
  const one = watch(seller)
  const other = watch(seller)
  one.meter.connect()
  await until(() => one.meter.snapshot.remaining_credits === 4, 'the balance is there')
  assert.is(one.meter.state, 'idle')
  await other.meter.start()
  await until(() => one.meter.state === 'live', 'it is live here too')
  await grant(server, seller.id, 5)
  await until(() => one.meter.snapshot.remaining_credits === 8, 'the grant is seen')
})

test('a listener that throws is logged and harms nobody; one that was taken off hears nothing', async () => {
  const seller = await makeSeller(server, 4)
  const { meter, logged, events } = watch(seller)
  const calls: string[] = []
  const off = meter.on('state', () => calls.push('taken off'))
  off()
  const second = () => void calls.push('taken off too')
  meter.on('state', second)
  meter.off('state', second)
  meter.on('stream_started', () => {
    throw new Error('of the page')
  })
  meter.on('stream_started', () => calls.push('heard'))
  await meter.start()
  assert.equal(calls, ['heard'])
  assert.is(logged.length, 1)
  assert.is(events.length, 2)
})

test('subscribe and getSnapshot fit useSyncExternalStore: a call for each new snapshot, none without', async () => {
  const seller = await makeSeller(server, 4)
  const { meter } = watch(seller)
  const seen = new Set([meter.getSnapshot()])
  let calls = 0
  const off = meter.subscribe(() => {
    calls += 1
    assert.not(seen.has(meter.getSnapshot()))
    seen.add(meter.getSnapshot())
  })
  await meter.start()
  await meter.end()
  assert.is(seen.size, calls + 1)
  const before = calls
  off()
  await meter.start()
  assert.is(calls, before)
})

test('B11: an unpaid start is refused with a code and what to do', async () => {
  const seller = await makeSeller(server, 0)
  const { meter, errors } = watch(seller)
  const error = await meter.start().catch((refusal: unknown) => refusal)
  assert.instance(error, MeterError)
  assert.is((error as MeterError).code, 'insufficient_credits')
  assert.is((error as MeterError).terminal, false)
  assert.is((error as MeterError).hint, 'Buy credits.')
  assert.is(meter.state, 'idle')
  assert.equal(errors, [], 'a call tells its own caller')
  const notLive = (await meter.end().catch((refusal: unknown) => refusal)) as MeterError
  assert.is(notLive.code, 'livestream_not_live')
})

test('H1: a start that finds it live, and an end that finds it ended, have succeeded', async () => {
  const seller = await makeSeller(server, 4)
  const one = watch(seller)
  const other = watch(seller)
  const first = await one.meter.start()
  const second = await other.meter.start()
  assert.is(second.run_id, first.run_id)
  assert.is(second.credits_run_out_at, first.credits_run_out_at)
  assert.is((await one.meter.end()).end_reason, 'seller')
  const { run_id, end_reason, message } = await other.meter.end()
  assert.equal({ run_id, end_reason }, { run_id: first.run_id, end_reason: 'seller' })
  assert.is(message, 'Livestream ended by the seller')
})

for (const act of ['start', 'end'] as const) {
  test(`a lost answer to ${act} harms nobody`, async () => {
    const seller = await makeSeller(server, 4)
    const { meter, events } = watch(seller)
    if (act === 'end') await meter.start()
    else meter.connect()
    await until(() => meter.snapshot.connection !== null, 'it is connected')
    gate.muted = true
    const acting = meter[act]()
    await until(() => liveRuns(seller) === (act === 'start' ? 1 : 0), 'the server has heard it')
    gate.cut()
    gate.muted = false
    const { run_id } = await acting
    assert.is(run_id, meter.snapshot.run?.run_id)
    assert.is(meter.state, act === 'start' ? 'live' : 'ended')
    const kinds = events.filter((event) => event.includes('stream_'))
    assert.is(kinds.length, act === 'start' ? 1 : 2, 'one run, told once')
    assert.is(meter.snapshot.remaining_credits, 3)
  })
}

/** What the database says, which a muted gate does not. */
function liveRuns({ livestreamId }: { livestreamId: string }): number {
  void server.database.db
    .selectFrom('runs')
    .select('id')
    .where('livestream_id', '=', livestreamId)
    .where('ended_at', 'is', null)
    .execute()
    .then((rows) => counts.set(livestreamId, rows.length))
  return counts.get(livestreamId) ?? -1
}
const counts = new Map<string, number>()

test('V3: nothing is missed while the connection is cut, and the snapshot says that it is stale', async () => {
  const seller = await makeSeller(server, 9)
  const { meter, events, states } = watch(seller, { activity: 'manual' })
  const stale: (string | null)[] = []
  meter.on('stale', (since) => stale.push(since))
  await meter.start()
  gate.pass = 'nothing'
  gate.cut()
  await until(() => meter.state === 'reconnecting', 'the cut is noticed')
  assert.is(meter.snapshot.stale_since?.slice(0, 4), '2026')
  assert.is(meter.snapshot.connection, null)
  for (let i = 0; i < 3; i += 1) await grant(server, seller.id, 1)
  gate.pass = 'all'
  await until(() => meter.state === 'live', 'it is back')
  assert.equal(events.slice(-4), ['3 credit_update', '4 credit_update', '5 credit_update', '6 credit_update'])
  assert.is(meter.snapshot.remaining_credits, 11)
  assert.is(stale.length, 2)
  assert.is(stale[1], null)
  assert.equal(states.slice(-3), ['live', 'reconnecting', 'live'])
  assert.is(meter.snapshot.error, null)
})

test('A5: a server that restarts under an open page is found again, and told that the seller is there', async () => {
  const seller = await makeSeller(server, 9)
  const { meter, events, forcedEnds } = watch(seller)
  await meter.start()
  const activity = meter.snapshot.run?.last_activity ?? ''
  server.clock.advance(10_000)
  await server.restart()
  await grant(server, seller.id, 1)
  await until(() => meter.state === 'live' && meter.snapshot.remaining_credits === 9, 'it is back')
  await until(() => (meter.snapshot.run?.last_activity ?? '') > activity, 'it pings at once')
  assert.is(new Set(events).size, events.length)
  assert.equal(forcedEnds, [])
})

test('A3: the seller is warned, and a ping takes the warning back', async () => {
  const seller = await makeSeller(server, 9)
  const { meter, events } = watch(seller, { activity: 'manual' })
  await meter.start()
  await server.pass(10 * MINUTE_MS)
  await until(() => meter.snapshot.inactivity_warned, 'the warning comes')
  assert.is(meter.snapshot.inactivity_ends_at, new Date(server.clock.now() + 5 * MINUTE_MS).toISOString())
  await meter.ping()
  await until(() => !meter.snapshot.inactivity_warned, 'it is taken back')
  assert.equal(
    events.slice(-2).map((event) => event.split(' ')[1]),
    ['inactivity_warning', 'inactivity_cleared'],
  )
})

test('A4: an end by the server is told once to onForcedEnd', async () => {
  const seller = await makeSeller(server, 9)
  const { meter, forcedEnds } = watch(seller, { activity: 'manual' })
  await meter.start()
  await server.pass(15 * MINUTE_MS)
  await until(() => meter.state === 'ended', 'it ends')
  assert.equal(forcedEnds, ['inactivity'])
  assert.is(meter.snapshot.end?.message, 'Livestream ended due to inactivity')
  await meter.start()
  await meter.end()
  assert.equal(forcedEnds, ['inactivity'], 'nor by its own end of the next run')
})

for (const how of ['by its events', 'by the answer to a ping', 'by the snapshot alone'] as const) {
  test(`A4: an end while the page was away is told once, ${how}`, async () => {
    const seller = await makeSeller(server, 9)
    const { meter, forcedEnds } = watch(seller, { activity: 'manual' })
    await meter.start()
    if (how === 'by the answer to a ping') {
      await elapse(server, 15 * MINUTE_MS)
      const error = (await meter.ping().catch((refusal: unknown) => refusal)) as MeterError
      assert.is(error.code, 'livestream_not_live')
      assert.is(error.details.end_reason, 'inactivity')
    } else {
      gate.pass = 'nothing'
      gate.cut()
      await until(() => meter.state === 'reconnecting', 'the cut is noticed')
      await grant(server, seller.id, 1)
      await server.pass(15 * MINUTE_MS)
      if (how === 'by the snapshot alone') {
        // As if the events were no longer kept.
        await server.database.db.deleteFrom('events').where('seller_id', '=', seller.id).where('seq', '<', 5).execute()
      }
      gate.pass = 'all'
    }
    await until(() => meter.state === 'ended', 'the end is known')
    await sleep(50)
    assert.equal(forcedEnds, ['inactivity'])
    assert.is(meter.snapshot.end?.reason, 'inactivity')
  })
}

test('a page that comes after the end shows it, and stops nothing', async () => {
  const seller = await makeSeller(server, 9)
  const first = watch(seller, { activity: 'manual' })
  await first.meter.start()
  await server.pass(15 * MINUTE_MS)
  const late = watch(seller)
  late.meter.connect()
  await until(() => late.meter.state === 'ended', 'it knows')
  assert.is(late.meter.snapshot.end?.reason, 'inactivity')
  assert.equal(late.forcedEnds, [])
})

test('countdowns run on the time of the server', async () => {
  const seller = await makeSeller(server, 9)
  const { meter } = watch(seller)
  await meter.start()
  const { next_deduction_at, server_offset_ms } = meter.snapshot
  const leftMs = meter.msUntil(next_deduction_at ?? '')
  assert.ok(Math.abs(leftMs - 30 * MINUTE_MS) < 500, `${leftMs} ms of 30 minutes`)
  assert.ok(Math.abs(meter.serverNow() - server.clock.now()) < 500)
  assert.ok(Math.abs((server_offset_ms ?? 0) + Date.now() - server.clock.now()) < 500)
  assert.is(meter.msUntil('2020-01-01T00:00:00.000Z'), 0)
})

test('an interval out of range is held to the policy, and said once', async () => {
  const seller = await makeSeller(server, 9)
  const { meter, logged } = watch(seller, { pingIntervalMs: 1_000 })
  await meter.start()
  await meter.end()
  await meter.start()
  assert.equal(logged, [['Credit meter: pingIntervalMs 1000 is out of range, using 120000']])
})

test('P3: a run that is started fast is pinged fast, by its own policy', async () => {
  const seller = await makeSeller(server, 9)
  const { meter } = watch(seller)
  await meter.start({ timeScale: 200 })
  assert.is(meter.snapshot.policy?.inactivity_warning_ms, 3_000)
  const activity = meter.snapshot.run?.last_activity ?? ''
  server.clock.advance(1_000)
  await until(() => (meter.snapshot.run?.last_activity ?? '') > activity, 'it pings by itself')
})

test('a draining server is called again when it asks to be', async () => {
  const seller = await makeSeller(server, 9)
  const { meter } = watch(seller)
  await meter.start()
  let lostAt = 0
  meter.on('stale', (since) => {
    if (since !== null) lostAt = performance.now()
  })
  await server.restart()
  await until(() => meter.state === 'live', 'it is back')
  const firstAt = gate.asked.find(({ at }) => at > lostAt)?.at ?? 0
  assert.ok(firstAt - lostAt > 450, `after ${firstAt - lostAt} ms: everybody comes back spread over five seconds`)
})

test.run()
