import { createHmac, generateKeyPairSync } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { databaseFacts } from '../../support/database-facts.js'
import { ALL_ROUTES } from '../../support/rest-routes.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer, TEST_SECRET } from '../../support/server.js'

const server = await startServer({ JWT_ISSUER: 'https://id.example/', JWT_AUDIENCE: 'tallylight' })
test.after(() => server.close())

const seller = await makeSeller(server)
await server.request('PATCH', `/api/livestreams/start/${seller.livestreamId}/`, seller)

const nowS = server.clock.wallNow() / 1_000
const good = { sub: seller.id, role: 'seller', exp: nowS + 3_600, iss: 'https://id.example/', aud: 'tallylight' }
const encoded = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url')

/** Signs by hand, also what no library would sign. */
function signed(payload: unknown, header: object = { alg: 'HS256', typ: 'JWT' }, secret = TEST_SECRET): string {
  const text = `${encoded(header)}.${encoded(payload)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

const unsigned = (alg: string) => `${encoded({ alg })}.${encoded(good)}.`
const rsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const [header = '', , signature = ''] = signed(good).split('.')

const refused: { what: string; authorization?: string; code: string }[] = [
  { what: 'no header', code: 'token_missing' },
  { what: 'an empty header', authorization: '', code: 'token_missing' },
  { what: 'a scheme alone', authorization: 'Bearer ', code: 'token_missing' },
  { what: 'another scheme', authorization: `Basic ${btoa(`${seller.id}:`)}`, code: 'token_invalid' },
  { what: 'a token without a scheme', authorization: signed(good), code: 'token_invalid' },
  { what: 'two tokens', authorization: `Bearer ${signed(good)} ${signed(good)}`, code: 'token_invalid' },
  { what: 'garble', authorization: 'Bearer garble', code: 'token_invalid' },
  { what: 'three dots', authorization: 'Bearer ...', code: 'token_invalid' },
  { what: 'no signature', authorization: `Bearer ${unsigned('none')}`, code: 'token_invalid' },
  { what: 'no signature, in capitals', authorization: `Bearer ${unsigned('NONE')}`, code: 'token_invalid' },
  { what: 'an empty signature', authorization: `Bearer ${unsigned('HS256')}`, code: 'token_invalid' },
  {
    what: 'claims changed after signing',
    authorization: `Bearer ${header}.${encoded({ ...good, role: 'operator' })}.${signature}`,
    code: 'token_invalid',
  },
  {
    what: 'another secret',
    authorization: `Bearer ${signed(good, { alg: 'HS256' }, 'x'.repeat(40))}`,
    code: 'token_invalid',
  },
  {
    what: 'another algorithm',
    authorization: `Bearer ${jwt.sign(good, TEST_SECRET, { algorithm: 'HS512' })}`,
    code: 'token_invalid',
  },
  {
    what: 'an RSA key',
    authorization: `Bearer ${jwt.sign(good, rsaKey, { algorithm: 'RS256' })}`,
    code: 'token_invalid',
  },
  { what: 'an end in the past', authorization: `Bearer ${signed({ ...good, exp: nowS })}`, code: 'token_expired' },
  {
    what: 'no end',
    authorization: `Bearer ${signed({ ...good, exp: undefined })}`,
    code: 'token_without_expiry',
  },
  {
    what: 'an end that is no number',
    authorization: `Bearer ${signed({ ...good, exp: '9999999999' })}`,
    code: 'token_invalid',
  },
  { what: 'a later begin', authorization: `Bearer ${signed({ ...good, nbf: nowS + 60 })}`, code: 'token_invalid' },
  { what: 'another audience', authorization: `Bearer ${signed({ ...good, aud: 'other' })}`, code: 'token_invalid' },
  { what: 'no audience', authorization: `Bearer ${signed({ ...good, aud: undefined })}`, code: 'token_invalid' },
  { what: 'another issuer', authorization: `Bearer ${signed({ ...good, iss: 'other' })}`, code: 'token_invalid' },
  { what: 'no sub', authorization: `Bearer ${signed({ ...good, sub: undefined })}`, code: 'token_invalid' },
  { what: 'a sub with a blank', authorization: `Bearer ${signed({ ...good, sub: 'a b' })}`, code: 'token_invalid' },
  { what: 'an unknown role', authorization: `Bearer ${signed({ ...good, role: 'admin' })}`, code: 'token_invalid' },
  {
    what: '10,000 characters',
    authorization: `Bearer ${signed({ ...good, x: 'x'.repeat(7_000) })}`,
    code: 'token_invalid',
  },
]

for (const route of ALL_ROUTES) {
  test(`H1: ${route.method} ${route.name} takes no bad token`, async () => {
    const ids = { sellerId: seller.id, livestreamId: seller.livestreamId }
    const before = await databaseFacts(server.database)
    for (const { what, authorization, code } of refused) {
      const { status, headers, body } = await server.request(route.method, route.path(ids), {
        headers: { 'Idempotency-Key': 'k', ...(authorization === undefined ? {} : { authorization }) },
        ...(route.body ? { body: route.body(ids) } : {}),
      })
      assert.equal([status, body.code], [401, code], what)
      assert.type(body.error, 'string')
      const expected = code === 'token_missing' ? /^Bearer realm="[^"]+"$/ : /^Bearer .*error="invalid_token"/
      assert.match(headers.get('www-authenticate') ?? '', expected, what)
      if (authorization) assert.not.match(JSON.stringify(body), authorization.slice(-20), 'shows nothing of the token')
    }
    assert.equal(await databaseFacts(server.database), before)
  })
}

test('H1: a token in the query string is none', async () => {
  const { status, body } = await server.request('GET', `/api/credits/?token=${seller.token}`)
  assert.equal([status, body.code], [401, 'token_missing'])
})

test('H1: a route that is not there needs a token too', async () => {
  assert.is((await server.request('GET', '/api/no-such/')).status, 401)
  const { status, body } = await server.request('GET', '/api/no-such/', seller)
  assert.equal([status, body.code], [404, 'route_not_found'])
})

test('H1: a bad token is told before anything of the request is looked at', async () => {
  const requests: [string, string][] = [
    ['POST', '/api/livestreams/no-such/heartbeat/'],
    ['POST', '/api/livestreams/%zz/heartbeat/'],
    ['GET', '/api/livestreams/?limit=x'],
  ]
  for (const [method, path] of requests) assert.is((await server.request(method, path)).status, 401, path)
  const post = await server.request('POST', '/api/sellers/x/credits/', { body: 'no JSON'.repeat(5_000) })
  assert.is(post.status, 401)
})

for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Token', 'token']) {
  test(`H3: Authorization: ${scheme} <token>`, async () => {
    const authorization = `${scheme} ${seller.token}`
    const path = `/api/livestreams/${seller.livestreamId}/heartbeat/`
    assert.is((await server.request('POST', path, { headers: { authorization } })).status, 200)
  })
}

test('H1, P2: a token that was good is not, once it has expired', async () => {
  const token = server.token(seller.id, 'seller', 60_000)
  assert.is((await server.request('GET', '/api/credits/', { token })).status, 200)
  server.clock.advance(60_000)
  const { status, body } = await server.request('GET', '/api/credits/', { token })
  assert.equal([status, body.code], [401, 'token_expired'])
  server.clock.advance(-60_000)
})

test('H1: after all that the server still serves', async () => {
  const path = `/api/livestreams/${seller.livestreamId}/heartbeat/`
  assert.is((await server.request('POST', path, seller)).status, 200)
})

test.run()
