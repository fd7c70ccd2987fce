import { createRequire } from 'node:module'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS } from '../../../server/domain/instant.js'
import { grant, makeSeller, type TestSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'
import { type ConnectOptions, connect, disconnectAll, type TestSocket, until } from '../../support/sockets.js'

// Pings go ahead of Engine.IO and Socket.IO, and are answered as if they had not.

const server = await startServer()
test.after(async () => {
  disconnectAll()
  await server.close()
})

interface Decoder {
  add(chunk: unknown): void
}

/** What has come to Socket.IO's decoder of this process, which is the server's and the clients'. */
const decoded: string[] = []
const { Decoder } = createRequire(createRequire(import.meta.url).resolve('socket.io'))('socket.io-parser') as {
  Decoder: { prototype: Decoder }
}
const { add } = Decoder.prototype
Decoder.prototype.add = function (chunk) {
  decoded.push(String(chunk))
  add.call(this, chunk)
}
const wentTheLongWay = (): boolean => decoded.some((text) => /^2\d*\[\s*"ping"/.test(text))

async function liveSeller(): Promise<TestSeller> {
  const seller = await makeSeller(server)
  await grant(server, seller.id, 5)
  await server.request('PATCH', `/api/livestreams/start/${seller.livestreamId}/`, { token: seller.token })
  return seller
}

interface Engine {
  write(text: string): void
  transport: { name: string; ws: { _socket: { cork(): void; uncork(): void } } }
}
const engineOf = ({ socket }: TestSocket): Engine => socket.io.engine as unknown as Engine

/** Sends a ping as no library writes it: with a space, so that it is not plain. */
async function pingTheLongWay(connected: TestSocket, livestreamId: string): Promise<object> {
  const answer = new Promise<object>((resolve) => {
    Object.assign(connected.socket, { acks: { ...Object(connected.socket).acks, 9000: resolve } })
  })
  engineOf(connected).write(`29000["ping", {"livestream_id":"${livestreamId}"}]`)
  return answer
}

const timeless = (answer: unknown): unknown =>
  JSON.parse(JSON.stringify(answer).replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'T'))

const cases: [string, (own: TestSeller) => Promise<string>, boolean][] = [
  ['a livestream that is live', async (own) => own.livestreamId, true],
  [
    'one that is not',
    async ({ token }) => (await server.request('POST', '/api/livestreams/', { token, body: { title: 'x' } })).body.id,
    false,
  ],
  ['one that is not there', async () => 'nowhere', false],
  ["another seller's", async () => (await liveSeller()).livestreamId, false],
  ['a word that is no id', async () => 'start', false],
  ['a very long id', async () => 'x'.repeat(129), false],
]
for (const [what, idOf, ok] of cases) {
  test(`P3: a ping of ${what} is answered the same both ways`, async () => {
    const own = await liveSeller()
    const connected = await connect(server.url, own.token)
    const livestreamId = await idOf(own)
    decoded.length = 0
    const plain = await connected.ask('ping', { livestream_id: livestreamId })
    const mayBePlain = /^[\w-]{1,128}$/.test(livestreamId) && livestreamId !== 'start'
    assert.is(wentTheLongWay(), !mayBePlain)
    const long = await pingTheLongWay(connected, livestreamId)
    assert.ok(wentTheLongWay())
    assert.equal(timeless(plain), timeless(long))
    assert.is(plain.ok, ok)
  })
}

for (const transports of [['polling'], ['polling', 'websocket']] as NonNullable<ConnectOptions['transports']>[]) {
  test(`P3: pings are answered over ${transports.join(', then ')}`, async () => {
    const own = await liveSeller()
    const connected = await connect(server.url, own.token, { transports })
    const isUpgraded = () => engineOf(connected).transport.name === transports.at(-1)
    await until(isUpgraded, 'the transport')
    decoded.length = 0
    assert.is((await connected.ask('ping', { livestream_id: own.livestreamId })).ok, true)
    assert.is(wentTheLongWay(), transports.length === 1, 'ahead of Engine.IO there is only a WebSocket')
  })
}

/** Has everything that is sent within arrive at once. */
async function inOneGo<T>(connected: TestSocket, send: () => Promise<T>[]): Promise<T[]> {
  const stream = engineOf(connected).transport.ws._socket
  stream.cork()
  const answers = send()
  setTimeout(() => stream.uncork(), 20)
  return Promise.all(answers)
}

test('P3: a ping does not overtake a start that was sent before it, nor an end a ping', async () => {
  const own = await makeSeller(server)
  await grant(server, own.id, 100)
  const connected = await connect(server.url, own.token)
  const payload = { livestream_id: own.livestreamId }
  for (let round = 0; round < 10; round += 1) {
    const answers = await inOneGo(connected, () =>
      ['start', 'ping', 'end', 'ping'].map((event) => connected.ask(event, payload)),
    )
    assert.equal(
      answers.map(({ ok, code }) => code ?? ok),
      [true, true, true, 'livestream_not_live'],
    )
    const back = await inOneGo(connected, () =>
      ['ping', 'start', 'ping', 'ping', 'end'].map((event) => connected.ask(event, payload)),
    )
    assert.equal(
      back.map(({ ok, code }) => code ?? ok),
      ['livestream_not_live', true, true, true, true],
    )
  }
})

test('P3: each of many pings at once has its own answer', async () => {
  const own = await liveSeller()
  const connected = await connect(server.url, own.token)
  const answers = await inOneGo(connected, () =>
    Array.from({ length: 300 }, (_, nth) =>
      connected.ask('ping', { livestream_id: nth % 3 === 0 ? 'nowhere' : own.livestreamId }),
    ),
  )
  assert.equal(
    answers.map(({ ok }) => ok),
    Array.from({ length: 300 }, (_, nth) => nth % 3 !== 0),
  )
})

test('P2: an expired token pings no more, though its ping is plain', async () => {
  const own = await liveSeller()
  const connected = await connect(server.url, server.token(own.id, 'seller', MINUTE_MS))
  server.clock.advance(2 * MINUTE_MS)
  assert.is((await connected.ask('ping', { livestream_id: own.livestreamId })).code, 'token_expired')
})

test.run()
