import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SECOND_MS } from '../../../server/domain/instant.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'
import { connect, disconnectAll, disconnection, refusal, until } from '../../support/sockets.js'

// The clock stands still unless it is moved, while timers are real: a token of 1 s is told of after 0.5 s, and is over
// 1 s later.
const server = await startServer()
test.after(async () => {
  disconnectAll()
  await server.close()
})

const inMs = (ms: number): string => new Date(server.clock.wallNow() + ms).toISOString()

test('P2: a token that expires is announced, told, and then disconnected', async () => {
  const { id, livestreamId } = await makeSeller(server)
  const connected = await connect(server.url, server.token(id, 'seller', SECOND_MS))
  const notices: object[] = []
  connected.socket.on('token_expiring', (notice) => notices.push(notice))
  await connected.ask('subscribe', { livestream_id: livestreamId })

  assert.is(await disconnection(connected.socket), 'io server disconnect')
  assert.equal(notices, [{ expires_at: inMs(SECOND_MS) }])
  assert.equal(connected.errors, [{ event: 'connection', error: 'The token has expired', code: 'token_expired' }])
  assert.equal(connected.log.slice(-2), ['token_expiring', 'request_error'])
})

test('P2: a token is renewed on the open connection, which goes on past its first end', async () => {
  const { id, livestreamId } = await makeSeller(server)
  const connected = await connect(server.url, server.token(id, 'seller', SECOND_MS))
  await connected.ask('subscribe', { livestream_id: livestreamId })
  await until(() => connected.log.includes('token_expiring'), 'token_expiring')
  const renewed = server.token(id, 'seller', 3_600 * SECOND_MS)
  assert.equal(await connected.ask('renew', { token: renewed }), { ok: true, expires_at: inMs(3_600 * SECOND_MS) })

  await sleep(1_300)
  assert.ok(connected.socket.connected)
  assert.is((await connected.ask('start', { livestream_id: livestreamId })).ok, true)
  assert.equal(
    connected.log.filter((event) => event === 'token_expiring' || event === 'request_error'),
    ['token_expiring'],
  )
  await until(() => connected.log.includes('stream_started'), 'stream_started')
})

test('P2: a token is renewed by one that ends sooner, too', async () => {
  const { id } = await makeSeller(server)
  const connected = await connect(server.url, server.token(id))
  const expires_at = inMs(SECOND_MS)
  const gone = disconnection(connected.socket)
  assert.equal(await connected.ask('renew', { token: server.token(id, 'seller', SECOND_MS) }), { ok: true, expires_at })
  assert.is(await gone, 'io server disconnect')
  assert.is(connected.errors[0]?.code, 'token_expired')
})

test('P2: a token for another sub or role renews nothing, and the connection keeps its own end', async () => {
  const ann = await makeSeller(server)
  const bob = await makeSeller(server)
  const connected = await connect(server.url, server.token(ann.id, 'seller', SECOND_MS))
  const gone = disconnection(connected.socket)
  for (const token of [bob.token, server.token(ann.id, 'service'), server.token(ann.id, 'operator')]) {
    const answer = await connected.ask('renew', { token })
    assert.is(answer.code, 'identity_changed')
    assert.equal(Object.keys(answer).sort(), ['code', 'error', 'ok'])
  }
  // Still ann: bob's livestream is as closed as ever.
  assert.is((await connected.ask('start', { livestream_id: bob.livestreamId })).code, 'permission_denied')
  assert.is((await connected.ask('start', { livestream_id: ann.livestreamId })).ok, true)
  assert.is(await gone, 'io server disconnect')
})

const bad: { what: string; token: () => string; code: string }[] = [
  { what: 'a garbled one', token: () => 'a.b.c', code: 'token_invalid' },
  { what: 'a signature cut off', token: () => server.token('ann').slice(0, -5), code: 'token_invalid' },
]
for (const { what, token, code } of bad) {
  test(`P2: a token is not renewed by ${what}: ${code}`, async () => {
    const { id, token: own } = await makeSeller(server)
    const connected = await connect(server.url, own)
    assert.is((await connected.ask('renew', { token: token() })).code, code)
    assert.is((await connected.ask('renew', { token: server.token(id) })).ok, true)
  })
}

test('P2: where the wall clock has passed its end, a token asks for nothing but its renewal', async () => {
  const { id, livestreamId, token } = await makeSeller(server)
  const old = server.token(id, 'seller', 60 * SECOND_MS)
  const connected = await connect(server.url, server.token(id, 'seller', 61 * SECOND_MS))
  const payload = { livestream_id: livestreamId }
  server.clock.advance(2 * 60 * SECOND_MS)
  for (const event of ['subscribe', 'ping', 'start', 'end']) {
    const answer = await connected.ask(event, payload)
    assert.equal(answer, { ok: false, error: 'The token has expired', code: 'token_expired' })
  }
  connected.socket.emit('start', payload)
  await until(() => connected.errors.length > 0, 'request_error')
  assert.equal(connected.errors, [{ event: 'start', error: 'The token has expired', code: 'token_expired' }])
  assert.is((await connected.ask('renew', { token: old })).code, 'token_expired')
  assert.is((await connected.ask('renew', { token })).ok, true)
  assert.is((await connected.ask('start', payload)).ok, true)
})

test('P2: expiry goes by the wall clock, also where the time of the program stands still', async () => {
  const { id, livestreamId } = await makeSeller(server)
  const payload = { livestream_id: livestreamId }
  const hour = 3_600 * SECOND_MS
  server.clock.advance(hour)
  const now = new Date(server.clock.now()).toISOString()
  server.clock.advance(-hour)
  // By the program's time this token is over; by the wall clock it has half an hour to go.
  const token = server.token(id, 'seller', hour / 2)
  const connected = await connect(server.url, token)
  const { started_at } = await connected.ask('start', payload)
  assert.is(started_at, now)
  server.clock.advance(hour / 2)
  assert.is((await connected.ask('end', payload)).code, 'token_expired')
  const error = await refusal(server.url, { auth: { token } })
  assert.is(error.data?.code, 'token_expired')
  server.clock.advance(hour)
})

test('P2: a token that ends in more than 24.8 days keeps its connection', async () => {
  const { id, livestreamId } = await makeSeller(server)
  // Past the longest timer of Node, which would fire at once.
  const connected = await connect(server.url, server.token(id, 'seller', 365 * 86_400 * SECOND_MS))
  await sleep(100)
  assert.equal(connected.log, [])
  assert.is((await connected.ask('start', { livestream_id: livestreamId })).ok, true)
})

test.run()
