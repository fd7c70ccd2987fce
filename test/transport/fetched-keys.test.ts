import { generateKeyPairSync } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { jwk, keyProvider } from '../support/key-provider.js'
import { startServer } from '../support/server.js'
import { connect, disconnectAll, refusal } from '../support/sockets.js'

// Both doors where tokens have to wait for the keys of their issuer: the first of a key, and after that none.

const privateKey = () => generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey
const [known, unknown] = [privateKey(), privateKey()]
const provider = await keyProvider()
provider.publish(jwk(known, 'known'))
const server = await startServer({ JWT_SECRET: undefined, JWT_JWKS_URL: provider.config.url })
test.after(async () => {
  disconnectAll()
  await server.close()
  await provider.close()
})

function token(sub: string, key = known, kid = 'known', role = 'seller'): string {
  const exp = Math.floor(server.clock.wallNow() / 1_000) + 3_600
  return jwt.sign({ sub, role, exp }, key, { algorithm: 'RS256', keyid: kid, noTimestamp: true })
}

const overRest = (by: string) => server.request('GET', '/api/credits', { token: by })

test('P1, H3: keys that cannot be fetched let nobody in, and are no fault of whose token it is', async () => {
  provider.answer(500)
  assert.is((await overRest(token('ann'))).status, 500)
  assert.is((await refusal(server.url, { auth: { token: token('ann') } })).data?.code, 'internal_error')
  provider.answer(200)
  await server.pass(6_000)
})

test('P1, H3: a token that waits for a key is taken, and those after it wait for nothing', async () => {
  const before = provider.requests()
  const { body } = await overRest(token('ann'))
  assert.is(body.balance, 0)
  await connect(server.url, token('ann'))
  await connect(server.url, token('ben'))
  assert.is((await overRest(token('ben'))).status, 200)
  assert.is(provider.requests(), before + 1)
})

test('P1, H3: a token by a key that its issuer does not have is refused', async () => {
  await server.pass(6_000)
  const foreign = token('ann', unknown, 'unknown')
  assert.is((await overRest(foreign)).body.code, 'token_invalid')
  await server.pass(6_000)
  assert.is((await refusal(server.url, { auth: { token: foreign } })).data?.code, 'token_invalid')
  const forged = token('ann', unknown)
  assert.is((await overRest(forged)).body.code, 'token_invalid')
  assert.is((await refusal(server.url, { auth: { token: forged } })).data?.code, 'token_invalid')
})

test('E1: what waits for a key is still asked for its role', async () => {
  // Past which no key is used any more.
  await server.pass(61 * 60_000)
  const service = token('host', known, 'known', 'service')
  assert.is((await refusal(server.url, { auth: { token: service } })).data?.code, 'permission_denied')
})

test.run()
