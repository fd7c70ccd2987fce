import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { MeterError } from '../../client-sdk/src/index.js'
import { type Gate, openGate } from '../support/gate.js'
import { grant, makeSeller, type TestSeller } from '../support/sellers.js'
import { startServer, type TestServer } from '../support/server.js'
import { until, type WatchedMeter, watchedMeter } from './watched-meter.js'

const MINUTE_MS = 60_000

let server: TestServer
let gate: Gate
let seller: TestSeller
let watched: WatchedMeter

test.before(async () => {
  server = await startServer()
  gate = await openGate(() => server.url)
})
test.before.each(async () => {
  gate.pass = 'all'
  gate.asked.length = 0
  seller = await makeSeller(server, 9)
  watched = watchedMeter(gate.url, seller, { activity: 'manual' }, 0.2)
})
test.after.each(() => watched.meter.destroy())
test.after(async () => {
  await gate.close()
  await server.close()
})

const kindsOf = (events: string[]) => events.map((event) => event.split(' ')[1])
const isUnbroken = (events: string[]) => {
  const sequences = events.map((event) => Number(event.split(' ')[0]))
  return sequences.every((seq, i) => i === 0 || seq === (sequences[i - 1] ?? 0) + 1)
}

test('a network that refuses WebSockets: long-polling does the same', async () => {
  gate.pass = 'no-websocket'
  const { meter, events } = watched
  await meter.start()
  assert.is(meter.snapshot.connection, 'socket')
  assert.ok(gate.asked.some(({ what }) => what.includes('transport=polling')))
  await grant(server, seller.id, 1)
  await until(() => meter.snapshot.remaining_credits === 9, 'events come')
  await meter.end()
  assert.ok(isUnbroken(events))
})

test('a network that swallows WebSockets without a word: long-polling has its turn', async () => {
  const { meter } = watched
  // Nothing of the server arrives any more, and the socket is tried in vain.
  gate.muted = true
  meter.connect()
  await until(() => gate.asked.length > 0, 'it tries')
  await sleep(100)
  gate.muted = false
  gate.pass = 'no-websocket'
  await until(() => meter.snapshot.connection === 'socket', 'it connects')
})

test('V3: all sockets refused: REST does the same, with the same sequence', async () => {
  gate.pass = 'requests'
  const { meter, events, forcedEnds, states } = watched
  await meter.start()
  assert.is(meter.snapshot.connection, 'rest')
  assert.is(meter.state, 'live')
  await grant(server, seller.id, 1)
  await until(() => meter.snapshot.remaining_credits === 9, 'it looks for events')
  await server.pass(10 * MINUTE_MS)
  await until(() => meter.snapshot.inactivity_warned, 'the warning comes')
  await meter.ping()
  await until(() => !meter.snapshot.inactivity_warned, 'and goes')
  assert.is((await meter.end()).end_reason, 'seller')
  assert.equal(kindsOf(events), [
    'stream_started',
    'credit_update',
    'credit_update',
    'inactivity_warning',
    'inactivity_cleared',
    'stream_ended',
  ])
  assert.ok(isUnbroken(events))
  await meter.start()
  await server.pass(15 * MINUTE_MS)
  await until(() => meter.state === 'ended', 'it ends')
  assert.equal(forcedEnds, ['inactivity'])
  assert.not(states.includes('reconnecting'))
})

test('V3: back to the socket when it can, with nothing twice and nothing missed', async () => {
  gate.pass = 'requests'
  const { meter, events } = watched
  await meter.start()
  const busy = (async () => {
    for (let i = 0; i < 15; i += 1) {
      await grant(server, seller.id, 1)
      await sleep(20)
    }
  })()
  gate.pass = 'all'
  // It looks for one every 12 s here.
  await until(() => meter.snapshot.connection === 'socket', 'it is back', 30_000)
  await busy
  await until(() => meter.snapshot.remaining_credits === 8 + 15, 'all has come')
  assert.is(events.length, 2 + 15)
  assert.ok(isUnbroken(events))
  gate.pass = 'requests'
  gate.cut()
  await grant(server, seller.id, 1)
  await until(() => meter.snapshot.connection === 'rest', 'and to REST again')
  await until(() => meter.snapshot.remaining_credits === 8 + 16, 'with what came meanwhile')
  assert.ok(isUnbroken(events))
})

test('the net goes away under REST, and comes back', async () => {
  gate.pass = 'requests'
  const { meter, events, errors } = watched
  await meter.start()
  gate.pass = 'nothing'
  gate.cut()
  await until(() => meter.state === 'reconnecting', 'it is noticed')
  await grant(server, seller.id, 1)
  gate.pass = 'requests'
  await until(() => meter.state === 'live', 'it is back')
  assert.is(meter.snapshot.remaining_credits, 9)
  assert.ok(isUnbroken(events))
  assert.not(errors.some(({ terminal }) => terminal))
})

test('H1: refusals carry the same codes over REST', async () => {
  gate.pass = 'requests'
  const { meter } = watched
  const error = (await meter.end().catch((refusal: unknown) => refusal)) as MeterError
  assert.is(error.code, 'livestream_not_live')
  const poor = watchedMeter(gate.url, await makeSeller(server, 0), {}, 0.2)
  const refusal = (await poor.meter.start().catch((thrown: unknown) => thrown)) as MeterError
  assert.is(refusal.code, 'insufficient_credits')
  poor.meter.destroy()
  const lost = watchedMeter(gate.url, { ...seller, livestreamId: 'nowhere' }, {}, 0.2)
  const unknown = (await lost.meter.start().catch((thrown: unknown) => thrown)) as MeterError
  assert.is(unknown.code, 'livestream_not_found')
  assert.is(lost.meter.state, 'unauthorized')
  lost.meter.destroy()
})

test('P2: a token that expires under REST is asked for again', async () => {
  gate.pass = 'requests'
  let calls = 0
  const own = watchedMeter(gate.url, seller, {
    getToken: () => {
      calls += 1
      return server.token(seller.id, 'seller', 60_000)
    },
  })
  await own.meter.start()
  assert.is(calls, 1)
  server.clock.advance(61_000)
  await own.meter.ping()
  assert.is(calls, 2)
  assert.is(own.meter.state, 'live')
  own.meter.destroy()
})

test.run()
