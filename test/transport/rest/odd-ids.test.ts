import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { databaseFacts } from '../../support/database-facts.js'
import { rawRequest } from '../../support/raw-request.js'
import { ALL_ROUTES } from '../../support/rest-routes.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const server = await startServer()
test.after(() => server.close())
const service = server.token('host', 'service')

const seller = await makeSeller(server)
await server.request('PATCH', `/api/livestreams/start/${seller.livestreamId}/`, seller)

const LIVESTREAM_NOT_FOUND = 'livestream_not_found'
const oddIds: { what: string; id: string; codes?: string[] }[] = [
  { what: 'a slash', id: 'a%2Fb' },
  { what: 'a quote', id: "a'b" },
  { what: 'a quote that ends a string', id: `x'%20or%20'1'='1` },
  { what: 'a double quote', id: '%22' },
  { what: 'a NUL', id: 'a%00b' },
  { what: 'a NUL alone', id: '%00' },
  { what: 'a line end', id: 'a%0Ab' },
  { what: 'a dot', id: 'a.b' },
  { what: 'dots', id: '%2e%2e' },
  { what: 'a percent sign', id: '%25' },
  { what: 'a question mark', id: '%3F' },
  { what: 'a blank', id: '%20' },
  { what: 'a letter beyond ASCII', id: '%C3%A9' },
  { what: 'an emoji', id: '%F0%9F%8E%A5' },
  { what: 'a right id with a blank behind it', id: `${seller.livestreamId}%20` },
  { what: 'a right id with a line end behind it', id: `${seller.livestreamId}%0A` },
  { what: '129 characters', id: 'x'.repeat(129) },
  { what: '7,000 characters', id: 'x'.repeat(7_000) },
  ...['start', 'end', 'livestreams', 'credit-monitor'].map((id) => ({ what: `the word ${id}`, id })),
  { what: '__proto__', id: '__proto__' },
  { what: 'constructor', id: 'constructor' },
  // Not an id at all: the path cannot be read.
  ...['%', '%zz', '%E0%A4%A', '%FF', 'a%C3'].map((id) => ({
    what: `${id}, wrongly encoded`,
    id,
    codes: ['route_not_found'],
  })),
  { what: 'nothing', id: '', codes: ['route_not_found', LIVESTREAM_NOT_FOUND] },
]

async function send(method: string, path: string, token: string, body?: string) {
  const headers = { Authorization: `Bearer ${token}`, 'Idempotency-Key': 'k' }
  const answer = await rawRequest(server.url, {
    method,
    path,
    headers,
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  })
  return { status: answer.status, body: JSON.parse(answer.text) }
}

for (const { what, id, codes = [LIVESTREAM_NOT_FOUND] } of oddIds) {
  test(`H, H1: every route answers 404 to an id with ${what}`, async () => {
    const before = await databaseFacts(server.database)
    for (const route of ALL_ROUTES.filter(({ ofLivestream }) => ofLivestream)) {
      // With no id at all this is the list of livestreams.
      if (id === '' && route.name === '/api/livestreams/{id}/') continue
      const path = route.path({ livestreamId: id, sellerId: seller.id })
      const token = path.endsWith('force_end/') ? server.token('ops', 'operator') : seller.token
      const { status, body } = await send(route.method, path, token)
      assert.is(status, 404, `${route.method} ${path}: ${JSON.stringify(body)}`)
      assert.ok(codes.includes(body.code), body.code)
      assert.type(body.error, 'string')
    }
    assert.equal(await databaseFacts(server.database), before)
  })
}

const unfit = ['a/b', "a'b", 'a\u0000b', 'x'.repeat(129), '', ' ', 'é', 'start', 'end', 'livestreams', 'credit-monitor']
for (const id of unfit) {
  test(`H, N: no livestream is made with the id ${JSON.stringify(id.slice(0, 20))}`, async () => {
    const before = await databaseFacts(server.database)
    const body = JSON.stringify({ title: 'T', seller_id: seller.id, id })
    const answer = await send('POST', '/api/livestreams/', service, body)
    assert.equal([answer.status, answer.body.code, answer.body.field], [422, 'invalid_request', 'id'])
    assert.equal(await databaseFacts(server.database), before)
  })
}

const oddSellers: { id: string; status: number; code: string; field?: string }[] = [
  ...['a%2Fb', "a'b", 'a%20b', '%00', 'x'.repeat(129), '%C3%A9', '%25', 'a%0A'].map((id) => ({
    id,
    status: 422,
    code: 'invalid_request',
    field: 'seller_id',
  })),
  ...['%zz', '%E0%A4%A', ''].map((id) => ({ id, status: 404, code: 'route_not_found' })),
]
for (const { id, status, code, field } of oddSellers) {
  test(`N, H1: no credits go to the seller ${id.slice(0, 20)}`, async () => {
    const before = await databaseFacts(server.database)
    const { status: got, body } = await send('POST', `/api/sellers/${id}/credits/`, service, '{"amount":1}')
    assert.equal([got, body.code, body.field], [status, code, field])
    assert.equal(await databaseFacts(server.database), before)
  })
}

for (const id of ['auth0|5f7c8', 'client@clients', 'a+b~c@example.org', 'urn:x:1', '__proto__', 'x'.repeat(128)]) {
  test(`N: a seller can be called ${id.slice(0, 20)}`, async () => {
    const path = `/api/sellers/${encodeURIComponent(id)}/credits/`
    assert.is((await send('POST', path, service, '{"amount":2}')).status, 201)
    const { body } = await send('GET', '/api/credits/', server.token(id))
    assert.equal([body.seller_id, body.balance], [id, 2])
    const asked = await send('GET', `/api/credits/?seller_id=${encodeURIComponent(id)}`, service)
    assert.equal(asked.body, body)
  })
}

test('H1: after all that the server still serves', async () => {
  const { status } = await send('POST', `/api/livestreams/${seller.livestreamId}/heartbeat/`, seller.token)
  assert.is(status, 200)
})

test.run()
