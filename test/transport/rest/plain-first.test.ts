import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RawRequest, rawRequest } from '../../support/raw-request.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const server = await startServer({ CORS_ORIGINS: 'https://shop.example' })
test.after(() => server.close())

/** The same request as pages spell it, and in capitals, which only Express takes; without what the hour says. */
async function bothWays(method: string, path: string, request: Omit<RawRequest, 'method' | 'path'>): Promise<object[]> {
  const answers: object[] = []
  for (const prefix of ['/api', '/API']) {
    const { status, headers, text } = await rawRequest(server.url, { ...request, method, path: `${prefix}${path}` })
    const { ratelimit, date, ...others } = headers
    assert.ok(date)
    const timeless = text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'T').replaceAll('/API/', '/api/')
    answers.push({ status, headers: others, limited: ratelimit !== undefined, text: timeless })
  }
  return answers
}

const live = await makeSeller(server)
await server.request('PATCH', `/api/livestreams/start/${live.livestreamId}/`, { token: live.token })
const authorization = `Bearer ${live.token}`

const cases: [string, string, Omit<RawRequest, 'method' | 'path'>, number][] = [
  ['a success', live.livestreamId, { headers: { authorization } }, 200],
  ['with the scheme of old pages', live.livestreamId, { headers: { authorization: `Token ${live.token}` } }, 200],
  [
    'from an origin that may ask',
    live.livestreamId,
    { headers: { authorization, origin: 'https://shop.example' } },
    200,
  ],
  ['from one that may not', live.livestreamId, { headers: { authorization, origin: 'https://else.example' } }, 200],
  ['with a body, which is ignored', live.livestreamId, { headers: { authorization }, body: Buffer.from('{') }, 200],
  [
    'with a body of unknown length',
    live.livestreamId,
    { headers: { authorization }, body: Buffer.from('x'), chunked: true },
    200,
  ],
  ['with too large a body', live.livestreamId, { headers: { authorization }, body: Buffer.alloc(20_000) }, 413],
  [
    'with too large a body of unknown length',
    live.livestreamId,
    { headers: { authorization }, body: Buffer.alloc(20_000), chunked: true },
    413,
  ],
  ['without a token', live.livestreamId, {}, 401],
  ['with a garbled token', live.livestreamId, { headers: { authorization: 'Bearer x.y.z' } }, 401],
  ['of a livestream that is not there', 'nowhere', { headers: { authorization } }, 404],
  ['of a word that is no id', 'start', { headers: { authorization } }, 404],
]

for (const [title, livestreamId, request, status] of cases) {
  test(`H: a heartbeat in front of Express is answered as behind it: ${title}`, async () => {
    const [inFront, behind] = await bothWays('POST', `/livestreams/${livestreamId}/heartbeat/`, request)
    assert.equal(inFront, behind)
    assert.is(Object(inFront).status, status)
  })
}

const { livestreamId: id } = live
const others: [string, string, number][] = [
  ['POST', `/livestreams/${id}/check_credits/`, 200],
  ['POST', `/livestreams/livestreams/${id}/check_credits`, 200],
  ['PATCH', `/livestreams/start/${id}/`, 400],
  ['PATCH', `/livestreams/${id}/start/?time_scale=0`, 422],
  ['PATCH', `/livestreams/end/nowhere/`, 404],
  ['GET', '/livestreams/credit-monitor/status/', 403],
  ['GET', '/livestreams', 200],
  ['GET', '/livestreams/?status=live&limit=1', 200],
  ['GET', '/livestreams/?status=live&limit=0', 422],
  ['GET', `/livestreams/${id}`, 200],
  ['GET', `/livestreams/${id}?x=1`, 422],
  ['GET', `/livestreams/livestreams/${id}`, 404],
  ['GET', `/livestreams/${id}/snapshot/?after=0`, 200],
  ['GET', `/livestreams/${id}/snapshot?after=0&after=1`, 422],
  ['GET', `/livestreams/${id}/ledger`, 200],
  ['GET', '/livestreams/nowhere/ledger', 404],
  ['GET', '/credits?', 200],
  ['GET', '/credits?seller_id=%zz', 422],
  ['GET', '/credits/ledger?limit=1&cursor=9', 200],
  ['GET', '/events/?after=0&__proto__=1', 422],
  ['GET', '/events', 200],
]
for (const [method, path, status] of others) {
  test(`N: in front of Express it is answered as behind it: ${method} ${path}`, async () => {
    const [inFront, behind] = await bothWays(method, path, { headers: { authorization } })
    assert.equal(inFront, behind)
    assert.is(Object(inFront).status, status)
  })
}

test('H: the double prefix, a query and a missing slash are heartbeats too', async () => {
  for (const path of [
    `/api/livestreams/livestreams/${live.livestreamId}/heartbeat/`,
    `/api/livestreams/${live.livestreamId}/heartbeat`,
    `/api/livestreams/${live.livestreamId}/heartbeat/?x=1`,
  ]) {
    const { status, text } = await rawRequest(server.url, { method: 'POST', path, headers: { authorization } })
    assert.is(status, 200, `${path}: ${text}`)
  }
})

test('both ways count for the one limit of a seller', async () => {
  const remaining: number[] = []
  for (const prefix of ['/api', '/API', '/api']) {
    const path = `${prefix}/livestreams/${live.livestreamId}/heartbeat/`
    const { headers } = await rawRequest(server.url, { method: 'POST', path, headers: { authorization } })
    remaining.push(Number(/remaining=(\d+)/.exec(String(headers['ratelimit']))?.[1]))
  }
  const [first = 0] = remaining
  assert.equal(remaining, [first, first - 1, first - 2])
})

test.run()
