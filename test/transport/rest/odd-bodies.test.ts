import { gzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { databaseFacts } from '../../support/database-facts.js'
import { type RawRequest, rawRequest } from '../../support/raw-request.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const server = await startServer()
test.after(() => server.close())
const service = server.token('host', 'service')
const operator = server.token('ops', 'operator')

const seller = await makeSeller(server)
await server.request('PATCH', `/api/livestreams/start/${seller.livestreamId}/`, seller)

const CREATE = { path: '/api/livestreams/', token: service }
const MOVE = { path: `/api/sellers/${seller.id}/credits/`, token: service }
const FORCE_END = { path: `/api/livestreams/${seller.livestreamId}/force_end/`, token: operator }
type Route = typeof CREATE

async function post(
  { path, token }: Route,
  body: Buffer | string,
  { headers = {}, chunked = false }: Partial<RawRequest> = {},
) {
  const answer = await rawRequest(server.url, {
    method: 'POST',
    path,
    headers: { ...headers, Authorization: `Bearer ${token}`, 'Idempotency-Key': 'k' },
    body: Buffer.from(body),
    chunked,
  })
  return { status: answer.status, body: JSON.parse(answer.text), headers: answer.headers }
}

async function assertRefused(route: Route, body: Buffer | string, expected: unknown[], how?: Partial<RawRequest>) {
  const before = await databaseFacts(server.database)
  const answer = await post(route, body, how)
  assert.equal([answer.status, answer.body.code, answer.body.field].slice(0, expected.length), expected)
  assert.type(answer.body.error, 'string')
  assert.equal(await databaseFacts(server.database), before)
}

const json = { 'Content-Type': 'application/json' }
const unreadable: { what: string; body: Buffer | string; headers?: Record<string, string> }[] = [
  { what: 'a word', body: 'hello' },
  { what: 'half an object', body: '{"title":"T"', headers: json },
  { what: 'a form', body: 'title=T&amount=1', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
  { what: 'single quotes', body: "{'title':'T','amount':1}" },
  { what: 'blanks', body: '   ' },
  { what: 'NaN', body: '{"amount":NaN}' },
  { what: 'two objects', body: '{}{}' },
  { what: 'bytes', body: Buffer.from([255, 254, 0, 1]) },
  { what: 'what is not gzip', body: '{}', headers: { 'Content-Encoding': 'gzip' } },
  { what: 'an unknown encoding', body: '{}', headers: { 'Content-Encoding': 'snappy' } },
  { what: 'an unknown charset', body: '{}', headers: { 'Content-Type': 'application/json; charset=klingon' } },
]
for (const [name, route] of Object.entries({ CREATE, MOVE, FORCE_END })) {
  for (const { what, body, headers = {} } of unreadable) {
    test(`H1: ${name}: ${what} is not JSON`, () => assertRefused(route, body, [400, 'invalid_json'], { headers }))
  }
  for (const body of ['[]', '[{"title":"T"}]', '"text"', '17', 'true', ...(route === FORCE_END ? [] : ['null'])]) {
    test(`H1: ${name}: ${body} is not an object`, () => assertRefused(route, body, [422, 'invalid_request', undefined]))
  }
  const tooLarge = `{"title":"${'T'.repeat(16 * 1024)}"}`
  test(`H1: ${name}: more than 16 KiB is too large`, () => assertRefused(route, tooLarge, [413, 'payload_too_large']))
  test(`H1: ${name}: more than 16 KiB is too large, chunked`, () =>
    assertRefused(route, tooLarge, [413, 'payload_too_large'], { chunked: true }))
  test(`H1: ${name}: more than 16 KiB is too large, also zipped`, () =>
    assertRefused(route, gzipSync(tooLarge), [413, 'payload_too_large'], { headers: { 'Content-Encoding': 'gzip' } }))
}

const unfit: { route: Route; body: string; field: string }[] = [
  { route: CREATE, body: '{"title":"a\\u0000b","seller_id":"s"}', field: 'title' },
  { route: MOVE, body: '{"amount":1,"reason":"a\\u0000b"}', field: 'reason' },
  { route: FORCE_END, body: '{"reason":"\\u0000"}', field: 'reason' },
  { route: CREATE, body: '{}', field: 'title' },
  { route: CREATE, body: '{"title":null,"seller_id":"s"}', field: 'title' },
  { route: CREATE, body: '{"title":7,"seller_id":"s"}', field: 'title' },
  { route: CREATE, body: '{"title":["T"],"seller_id":"s"}', field: 'title' },
  { route: CREATE, body: '{"title":"","seller_id":"s"}', field: 'title' },
  { route: CREATE, body: '{"title":" \\n ","seller_id":"s"}', field: 'title' },
  { route: CREATE, body: `{"title":"${'T'.repeat(501)}","seller_id":"s"}`, field: 'title' },
  { route: CREATE, body: '{"title":"T"}', field: 'seller_id' },
  { route: CREATE, body: '{"title":"T","seller_id":""}', field: 'seller_id' },
  { route: CREATE, body: '{"title":"T","seller_id":"a b"}', field: 'seller_id' },
  { route: CREATE, body: '{"title":"T","seller_id":{"toString":1}}', field: 'seller_id' },
  { route: CREATE, body: '{"title":"T","seller_id":null}', field: 'seller_id' },
  { route: CREATE, body: '{"title":"T","seller_id":"s","id":7}', field: 'id' },
  { route: CREATE, body: '{"title":"T","seller_id":"s","balance":99}', field: 'balance' },
  { route: CREATE, body: '{"title":"T","seller_id":"s","constructor":{}}', field: 'constructor' },
  { route: CREATE, body: '{"title":"T","seller_id":"s","__proto__":{"id":"x"}}', field: '__proto__' },
  { route: MOVE, body: '{}', field: 'amount' },
  { route: MOVE, body: '{"amount":null}', field: 'amount' },
  { route: MOVE, body: '{"amount":"5"}', field: 'amount' },
  { route: MOVE, body: '{"amount":[5]}', field: 'amount' },
  { route: MOVE, body: '{"amount":true}', field: 'amount' },
  { route: MOVE, body: '{"amount":0}', field: 'amount' },
  { route: MOVE, body: '{"amount":-0}', field: 'amount' },
  { route: MOVE, body: '{"amount":1.5}', field: 'amount' },
  { route: MOVE, body: '{"amount":-0.5}', field: 'amount' },
  { route: MOVE, body: '{"amount":1e-7}', field: 'amount' },
  { route: MOVE, body: '{"amount":9007199254740992}', field: 'amount' },
  { route: MOVE, body: '{"amount":-9007199254740992}', field: 'amount' },
  { route: MOVE, body: '{"amount":1e400}', field: 'amount' },
  { route: MOVE, body: '{"amount":1,"reason":null}', field: 'reason' },
  { route: MOVE, body: '{"amount":1,"reason":5}', field: 'reason' },
  { route: MOVE, body: `{"amount":1,"reason":"${'r'.repeat(501)}"}`, field: 'reason' },
  { route: MOVE, body: '{"amount":1,"seller_id":"somebody-else"}', field: 'seller_id' },
  { route: MOVE, body: '{"amount":1,"idempotency_key":"x"}', field: 'idempotency_key' },
  { route: MOVE, body: '{"amount":1,"constructor":1}', field: 'constructor' },
  { route: MOVE, body: '{"amount":1,"__proto__":{"amount":100}}', field: '__proto__' },
  { route: MOVE, body: '{"__proto__":{"amount":100}}', field: '__proto__' },
  { route: FORCE_END, body: '{"reason":null}', field: 'reason' },
  { route: FORCE_END, body: '{"reason":{}}', field: 'reason' },
  { route: FORCE_END, body: `{"reason":"${'r'.repeat(501)}"}`, field: 'reason' },
  { route: FORCE_END, body: '{"end_reason":"seller"}', field: 'end_reason' },
  { route: FORCE_END, body: '{"__proto__":{}}', field: '__proto__' },
]
for (const { route, body, field } of unfit) {
  test(`H1, N: POST ${route.path} ${body.slice(0, 60)} is refused, naming ${field}`, () =>
    assertRefused(route, body, [422, 'invalid_request', field]))
}

for (const route of [CREATE, MOVE]) {
  for (const chunked of [false, true]) {
    test(`H1, N: POST ${route.path} without a body is refused${chunked ? ', chunked' : ''}`, () =>
      assertRefused(route, '', [422, 'invalid_request'], { chunked }))
  }
}

const ofSellers: { body: string; status: number; field?: string }[] = [
  { body: `{"title":"T","seller_id":"somebody-else"}`, status: 403 },
  { body: '{"title":"T","id":"my-own"}', status: 422, field: 'id' },
  { body: '{"title":"T","role":"operator"}', status: 422, field: 'role' },
]
for (const { body, status, field } of ofSellers) {
  test(`N: a seller may not POST /api/livestreams/ ${body}`, async () => {
    const before = await databaseFacts(server.database)
    const answer = await post({ path: '/api/livestreams/', token: seller.token }, body)
    assert.equal([answer.status, answer.body.field], [status, field])
    assert.equal(await databaseFacts(server.database), before)
  })
}

const fit: { what: string; body: Buffer | string; how?: Partial<RawRequest> }[] = [
  { what: 'JSON that calls itself nothing', body: '{"title":"T","seller_id":"s"}' },
  {
    what: 'JSON that calls itself text',
    body: '{"title":"T","seller_id":"s"}',
    how: { headers: { 'Content-Type': 'text/plain' } },
  },
  { what: 'chunked JSON', body: '{"title":"T","seller_id":"s"}', how: { chunked: true } },
  { what: 'a title of 500 characters', body: `{"title":"${'T'.repeat(500)}","seller_id":"s"}` },
]
for (const { what, body, how } of fit) {
  test(`N: ${what} is fine`, async () => {
    assert.is((await post(CREATE, body, how)).status, 201)
  })
}

test('N: force_end needs no body', async () => {
  for (const body of ['', '{}', '{"reason":""}']) {
    const answer = await post(FORCE_END, body)
    assert.is(answer.status, 200, JSON.stringify(answer.body))
    await server.request('PATCH', `/api/livestreams/start/${seller.livestreamId}/`, seller)
  }
})

test('H1: after all that the server still serves', async () => {
  const path = `/api/livestreams/${seller.livestreamId}/heartbeat/`
  assert.is((await server.request('POST', path, seller)).status, 200)
})

test.run()
