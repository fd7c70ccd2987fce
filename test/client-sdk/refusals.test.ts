import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Server } from 'socket.io'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type CreditMeter, createCreditMeter, type MeterError } from '../../client-sdk/src/index.js'
import { type Gate, openGate } from '../support/gate.js'
import { makeSeller, type TestSeller } from '../support/sellers.js'
import { startServer, type TestServer } from '../support/server.js'
import { until, type WatchedMeter, watchedMeter } from './watched-meter.js'

let server: TestServer
let gate: Gate
let seller: TestSeller
const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))

test.before(async () => {
  server = await startServer()
  gate = await openGate(() => server.url)
  seller = await makeSeller(server)
})
test.before.each(() => {
  Object.assign(gate, { pass: 'all', muted: false })
  gate.asked.length = 0
})
test.after(async () => {
  await gate.close()
  await server.close()
  assert.equal(unhandled, [], 'nothing is an unhandled rejection because nobody listens')
})

const codeOf = (error: unknown): string => (error as MeterError).code

/** A terminal refusal: said once, to the call and to the listeners; then nothing is tried any more. */
async function isRefused({ meter, errors, states }: WatchedMeter, code: string): Promise<void> {
  assert.is(await meter.start().catch(codeOf), code)
  assert.is(meter.state, 'unauthorized')
  assert.is(meter.snapshot.error?.code, code)
  assert.is(meter.snapshot.error?.terminal, true)
  assert.ok((meter.snapshot.error?.hint.length ?? 0) > 5, 'says what to do')
  assert.equal(errors.map(codeOf), [code])
  assert.is(states.at(-1), 'unauthorized')
  const asked = gate.asked.length
  await sleep(300)
  assert.is(gate.asked.length, asked, 'it is not tried again')
}

const jwt = (claims: object) => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`

for (const { what, change, code } of [
  {
    what: 'a livestream that does not exist',
    change: () => ({ livestreamId: 'nowhere' }),
    code: 'livestream_not_found',
  },
  { what: 'an id that is none', change: () => ({ livestreamId: 'no id!' }), code: 'invalid_request' },
  {
    what: "another seller's livestream",
    change: async () => ({ livestreamId: (await makeSeller(server)).livestreamId }),
    code: 'permission_denied',
  },
  { what: 'a token of a service', change: () => ({ token: server.token('h', 'service') }), code: 'permission_denied' },
  { what: 'a token that is garbled', change: () => ({ token: 'nonsense' }), code: 'token_invalid' },
  { what: 'a token that others signed', change: () => ({ token: jwt({ sub: 'a', exp: 9e9 }) }), code: 'token_invalid' },
]) {
  test(`bad input: ${what} is refused for good (${code})`, async () => {
    const watched = watchedMeter(gate.url, { ...seller, ...(await change()) })
    await isRefused(watched, code)
    watched.meter.destroy()
  })
}

test('P1, P2: an expired token is asked for once more, and then refused for good', async () => {
  let calls = 0
  const old = server.token(seller.id, 'seller', 1_000)
  server.clock.advance(2_000)
  const getToken = () => {
    calls += 1
    return old
  }
  const watched = watchedMeter(gate.url, seller, { getToken })
  await isRefused(watched, 'token_expired')
  assert.is(calls, 2)
  watched.meter.destroy()
})

test('after a refusal, connect and start try anew', async () => {
  let token = 'nonsense'
  const watched = watchedMeter(gate.url, seller, { getToken: () => token })
  const { meter, errors } = watched
  meter.connect()
  await until(() => meter.state === 'unauthorized', 'it is refused')
  token = seller.token
  await meter.start()
  assert.is(meter.state, 'live')
  assert.is(meter.snapshot.error, null)
  assert.is(errors.length, 1)
  meter.destroy()
})

for (const url of ['nonsense', 'ftp://example.com', 'http://', '//', 'http://exa mple.com']) {
  test(`bad input: the address ${url} is refused, and nothing is thrown`, async () => {
    const watched = watchedMeter(url, seller)
    await isRefused(watched, 'invalid_url')
    watched.meter.destroy()
  })
}

test('bad input: nobody at the address: tried for ever, said once', async () => {
  const { meter, errors, states } = watchedMeter('http://127.0.0.1:9', seller, {}, 0.02)
  assert.is(await meter.start().catch(codeOf), 'timeout')
  assert.is(meter.state, 'connecting')
  assert.equal(errors.map(codeOf), ['network'])
  assert.is(errors[0]?.terminal, false)
  assert.equal(states, ['connecting'])
  meter.destroy()
})

test('bad input: another program at the address is told as such', async () => {
  const other = createServer((_request, response) => response.end('<html>welcome</html>')).listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { meter, errors } = watchedMeter(`http://127.0.0.1:${(other.address() as AddressInfo).port}`, seller)
  meter.connect()
  await until(() => errors.length > 0, 'it is seen')
  assert.is(meter.snapshot.error?.code, 'network')
  assert.is(meter.snapshot.error?.terminal, false)
  assert.is(meter.snapshot.error?.hint, 'Check url.')
  meter.destroy()
  other.closeAllConnections()
  other.close()
})

test('bad input: a server of another protocol version is refused', async () => {
  const http = createServer().listen(0, '127.0.0.1')
  await once(http, 'listening')
  const io = new Server(http, { transports: ['websocket'] })
  io.on('connection', (socket) => {
    socket.on('subscribe', (_request, ack) => ack({ ok: true, seq: 0, reset: false, protocol_version: 2 }))
  })
  const watched = watchedMeter(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, seller)
  await isRefused(watched, 'protocol_mismatch')
  assert.match(watched.errors[0]?.message ?? '', 'Protocol 2, not 1')
  watched.meter.destroy()
  await io.close()
})

const badTokens: { what: string; getToken: () => string | Promise<string>; code: string }[] = [
  {
    what: 'throws',
    getToken: () => {
      throw new Error('of the page')
    },
    code: 'get_token_failed',
  },
  { what: 'rejects', getToken: async () => Promise.reject(new Error('of the page')), code: 'get_token_failed' },
  { what: 'gives nothing', getToken: () => undefined as unknown as string, code: 'get_token_failed' },
  { what: 'gives an empty text', getToken: async () => '', code: 'get_token_failed' },
  { what: 'hangs', getToken: () => new Promise<string>(() => undefined), code: 'get_token_timeout' },
]

test('bad input: a getToken that throws, rejects, gives nothing or hangs is told, and asked again', async () => {
  let isWell = false
  const meters = badTokens.map(({ what, getToken, code }) => {
    const counted = { calls: 0 }
    const options = {
      getToken: () => {
        counted.calls += 1
        return isWell ? seller.token : getToken()
      },
    }
    return { what, code, counted, ...watchedMeter(gate.url, seller, options, 0.03) }
  })
  for (const { meter } of meters) meter.connect()
  await until(() => meters.every(({ counted }) => counted.calls > 2), 'they are asked again')
  for (const { meter, what, code, errors } of meters) {
    assert.equal(errors.map(codeOf), [code], `${what}: said once`)
    assert.is(errors[0]?.terminal, false, what)
    assert.is(meter.state, 'connecting', what)
  }
  assert.equal(gate.asked, [])
  isWell = true
  await until(() => meters.every(({ meter }) => meter.snapshot.connection === 'socket'), 'they connect', 10_000)
  for (const { meter } of meters) {
    assert.is(meter.snapshot.error, null)
    meter.destroy()
  }
})

test('without a listener an error goes to the log, and a call that nobody waits for harms nobody', async () => {
  const logged: unknown[][] = []
  const log = (...parts: unknown[]) => void logged.push(parts)
  const meter: CreditMeter = createCreditMeter({
    url: gate.url,
    livestreamId: 'nowhere',
    getToken: () => seller.token,
    logger: { warn: log, error: log },
  })
  void meter.start()
  void meter.ping()
  void meter.end()
  await until(() => meter.state === 'unauthorized', 'it is refused')
  assert.is(logged.length, 1)
  meter.destroy()
  await sleep(20)
  assert.equal(unhandled, [])
})

test('no tight loop: what a meter tries in a minute of real time, whatever it is refused by', async () => {
  gate.pass = 'nothing'
  const rude = createServer().listen(0, '127.0.0.1')
  await once(rude, 'listening')
  const io = new Server(rude, { transports: ['websocket'] })
  const tries = { refused: 0, 'hung up on': 0, 'a getToken that throws': 0 }
  io.on('connection', (socket) => {
    tries['hung up on'] += 1
    socket.disconnect(true)
  })
  const getToken = () => {
    tries['a getToken that throws'] += 1
    throw new Error('of the page')
  }
  const meters = [
    watchedMeter(gate.url, seller, {}, 1),
    watchedMeter(`http://127.0.0.1:${(rude.address() as AddressInfo).port}`, seller, {}, 1),
    watchedMeter(server.url, seller, { getToken }, 1),
  ]
  try {
    for (const { meter } of meters) meter.connect()
    await sleep(60_000)
    // One try of the first is up to two transports, and now and then REST. By full jitter there can be few.
    tries.refused = gate.asked.length
    for (const [what, count] of Object.entries(tries))
      assert.ok(count >= 2 && count <= 40, `${what}: ${count} in a minute`)
    for (const { errors } of meters) assert.is(errors.length, 1, 'said once')
  } finally {
    for (const { meter } of meters) meter.destroy()
    await io.close()
  }
})

test('what is asked of a destroyed meter is refused, and destroying twice is fine', async () => {
  const { meter } = watchedMeter(gate.url, seller)
  meter.connect()
  await until(() => meter.snapshot.connection !== null, 'it is connected')
  const ping = meter.ping().catch(codeOf)
  meter.destroy()
  meter.destroy()
  meter.connect()
  assert.is(await ping, 'destroyed')
  assert.is(await meter.start().catch(codeOf), 'destroyed')
  assert.is(meter.snapshot.connection, null)
})

test.run()
