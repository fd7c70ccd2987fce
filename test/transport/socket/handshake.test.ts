import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import jwt from 'jsonwebtoken'
import { Manager } from 'socket.io-client'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ErrorCode } from '../../../client-sdk/protocol/index.js'
import { databaseFacts } from '../../support/database-facts.js'
import { rawRequest } from '../../support/raw-request.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer, TEST_SECRET } from '../../support/server.js'
import { type ConnectOptions, connect, disconnectAll, disconnection, refusal } from '../../support/sockets.js'

const LISTED = 'https://shop.example'
const server = await startServer({ CORS_ORIGINS: LISTED, JWT_AUDIENCE: 'tallylight' })
test.after(async () => {
  disconnectAll()
  await server.close()
})

const NOW_S = server.clock.wallNow() / 1_000
const good = { sub: 'ann', role: 'seller', aud: 'tallylight', exp: NOW_S + 3_600 }
const { exp: _, ...endless } = good
const sign = (claims: object, secret = TEST_SECRET): string => jwt.sign(claims, secret, { noTimestamp: true })
const goodToken = sign(good)

async function socketsHeld(): Promise<string | undefined> {
  const { body } = await server.request('GET', '/metrics')
  return /^tallylight_sockets (\d+)/m.exec(body)?.[1]
}

const refused: { what: string; options: ConnectOptions; code: ErrorCode }[] = [
  { what: 'no auth at all', options: {}, code: 'token_missing' },
  { what: 'an auth without a token', options: { auth: { name: 'ann' } }, code: 'token_missing' },
  { what: 'an empty token', options: { auth: { token: '' } }, code: 'token_missing' },
  { what: 'a token in the query string', options: { query: { token: goodToken } }, code: 'token_missing' },
  {
    what: 'a token in a header',
    options: { extraHeaders: { authorization: `Bearer ${goodToken}` } },
    code: 'token_missing',
  },
  { what: 'a garbled token', options: { auth: { token: 'a.b.c' } }, code: 'token_invalid' },
  { what: 'half a token', options: { auth: { token: goodToken.slice(0, -20) } }, code: 'token_invalid' },
  {
    what: 'alg none',
    options: { auth: { token: jwt.sign(good, '', { algorithm: 'none' }) } },
    code: 'token_invalid',
  },
  {
    what: 'another key',
    options: { auth: { token: sign(good, 'another secret, as long as it should be') } },
    code: 'token_invalid',
  },
  { what: 'another audience', options: { auth: { token: sign({ ...good, aud: 'shop' }) } }, code: 'token_invalid' },
  { what: 'an expired token', options: { auth: { token: sign({ ...good, exp: NOW_S }) } }, code: 'token_expired' },
  { what: 'an endless token', options: { auth: { token: sign(endless) } }, code: 'token_without_expiry' },
  { what: 'a service', options: { auth: { token: server.token('ann', 'service') } }, code: 'permission_denied' },
  { what: 'an operator', options: { auth: { token: server.token('ann', 'operator') } }, code: 'permission_denied' },
  { what: 'a token that is a number', options: { auth: { token: 5 } }, code: 'invalid_request' },
  { what: 'a token that is a list', options: { auth: { token: [goodToken] } }, code: 'invalid_request' },
  {
    what: 'an auth with __proto__',
    options: { auth: JSON.parse(`{"token":"${goodToken}","__proto__":{}}`) },
    code: 'invalid_request',
  },
]
for (const { what, options, code } of refused) {
  test(`P1: ${what} is refused with ${code}`, async () => {
    for (const transports of [['websocket'], ['polling']]) {
      const error = await refusal(server.url, { transports, ...options })
      assert.is(error.data?.code, code)
      assert.equal(Object.keys(error.data ?? {}).sort(), ['code', 'error'])
      assert.is(error.message, error.data?.error)
      assert.not.match(error.message, goodToken.slice(-20))
    }
    assert.is(await socketsHeld(), '0')
  })
}

test('P1: a seller with a good token in auth is taken, over WebSocket and polling', async () => {
  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    const { socket } = await connect(server.url, goodToken, { transports })
    socket.disconnect()
  }
})

test('P1: there is one namespace', async () => {
  const error = await refusal(`${server.url}/admin`, { auth: { token: goodToken } })
  assert.match(error.message, 'Invalid namespace')
})

// H: CORS does not cover WebSockets, so both are held to the same list.
const own = new URL(server.url)
const origins: { what: string; origin: string | undefined; taken: boolean }[] = [
  { what: 'the very server', origin: server.url, taken: true },
  { what: 'the very server, written otherwise', origin: `${server.url.toUpperCase()}/`, taken: true },
  { what: 'a listed page', origin: LISTED, taken: true },
  { what: 'no browser', origin: undefined, taken: true },
  { what: 'a foreign page', origin: 'https://evil.example', taken: false },
  { what: 'a sandboxed page', origin: 'null', taken: false },
  { what: 'the same host at another port', origin: `http://${own.hostname}:1`, taken: false },
  { what: 'the listed page without TLS', origin: 'http://shop.example', taken: false },
  { what: 'a page that begins as the listed one', origin: `${LISTED}.evil.example`, taken: false },
  { what: 'a page below the listed one', origin: 'https://a.shop.example', taken: false },
  { what: 'garbage', origin: '//', taken: false },
]
for (const { what, origin, taken } of origins) {
  test(`P1: a handshake from ${what} is ${taken ? 'taken' : 'refused'}`, async () => {
    const headers = origin === undefined ? {} : { origin }
    const path = '/socket.io/?EIO=4&transport='
    const polling = await rawRequest(server.url, { method: 'GET', path: `${path}polling`, headers })
    assert.is(polling.status, taken ? 200 : 403)
    if (!taken) assert.is(JSON.parse(polling.text).message, 'origin_not_allowed')
    assert.is(polling.headers['access-control-allow-origin'], origin === LISTED ? LISTED : undefined)

    const websocket = await upgrade(`${path}websocket`, headers)
    // Engine.IO refuses an upgrade with 400, whatever the reason; the text says which.
    assert.is(websocket.status, taken ? 101 : 400)
    if (!taken) assert.match(websocket.text, 'origin_not_allowed')
  })
}

test('P1: a listed page may ask whether it may poll with headers of its own', async () => {
  const path = '/socket.io/?EIO=4&transport=polling'
  const asked = await rawRequest(server.url, {
    method: 'OPTIONS',
    path,
    headers: { origin: LISTED, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-own' },
  })
  assert.is(asked.status, 204)
  assert.is(asked.headers['access-control-allow-origin'], LISTED)
  assert.is(asked.headers['access-control-allow-headers'], 'x-own')
})

test('P1: a page of a foreign origin gets no socket, whatever its token', async () => {
  for (const transports of [['websocket'], ['polling']]) {
    const extraHeaders = { origin: 'https://evil.example' }
    const error = await refusal(server.url, { transports, extraHeaders, auth: { token: goodToken } })
    assert.is(error.data, undefined)
  }
  assert.is(await socketsHeld(), '0')
})

test('P1: who does not authenticate within 5 s is disconnected', async () => {
  const closings = [
    // An Engine.IO connection that never says CONNECT, and one that says it with a bad token and stays.
    ...['websocket', 'polling'].map((transport) => ({ transport, says: null })),
    ...['websocket', 'polling'].map((transport) => ({ transport, says: '0{"token":"bad"}' })),
  ].map(async ({ transport, says }) => {
    const manager = new Manager(server.url, { transports: [transport], reconnection: false, autoConnect: false })
    await new Promise<void>((resolve, reject) => manager.open((error) => (error ? reject(error) : resolve())))
    const openedAt = performance.now()
    if (says) manager.engine.write(says)
    await once(manager as unknown as NodeJS.EventEmitter, 'close')
    return performance.now() - openedAt
  })
  for (const lastedMs of await Promise.all(closings)) assert.ok(lastedMs > 4_500 && lastedMs < 10_000, `${lastedMs} ms`)
})

test('P5: a payload of more than 16 KiB is not read, and closes the connection', async () => {
  const seller = await makeSeller(server)
  const before = await databaseFacts(server.database)
  for (const transports of [['websocket'], ['polling']]) {
    const fits = await connect(server.url, seller.token, { transports })
    const small = { livestream_id: seller.livestreamId, junk: 'x'.repeat(15 * 1024) }
    assert.is((await fits.ask('start', small)).field, 'junk')

    const gone = disconnection(fits.socket)
    fits.socket.emit('start', { livestream_id: seller.livestreamId, junk: 'x'.repeat(16 * 1024) })
    assert.match(await gone, /^transport (close|error)$/)
  }
  assert.equal(await databaseFacts(server.database), before)
})

/** A handshake of a WebSocket: its status, and what is said where it is refused. */
async function upgrade(path: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  const { hostname, port } = own
  const handshake = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
  const sent = request({
    hostname,
    port,
    path,
    headers: { ...handshake, 'sec-websocket-key': Buffer.from('0123456789abcdef').toString('base64'), ...headers },
  })
  sent.end()
  const taken = once(sent, 'upgrade').then(([response, socket]) => {
    socket.destroy()
    return { status: (response as IncomingMessage).statusCode ?? 0, text: '' }
  })
  const answered = once(sent, 'response').then(async ([response]) => {
    let text = ''
    for await (const chunk of (response as IncomingMessage).setEncoding('utf8')) text += chunk
    return { status: (response as IncomingMessage).statusCode ?? 0, text }
  })
  return Promise.race([taken, answered])
}

test.run()
