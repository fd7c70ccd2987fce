import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startServer } from '../../support/server.js'

// What the seller page may do on a newcomer's own server, and nowhere else.

test('a newcomer signs in as anybody, gets a livestream, and credits for nothing', async () => {
  const server = await startServer({ JWT_SECRET: '' })
  const session = await server.request('POST', '/dev/session', { body: { seller_id: 'ann' } })
  assert.is(session.status, 200)
  const { token, livestream_id } = session.body
  const again = await server.request('POST', '/dev/session', { body: { seller_id: 'ann' } })
  assert.is(again.body.livestream_id, livestream_id)
  for (const expected of [201, 201]) {
    const headers = { 'Idempotency-Key': 'one-purchase' }
    const bought = await server.request('POST', '/dev/credits', { token, headers, body: { credits: 5 } })
    assert.is(bought.status, expected)
    assert.is(bought.body.balance, 5, 'the same key buys once')
  }
  const started = await server.request('PATCH', `/api/livestreams/start/${livestream_id}/`, { token })
  assert.is(started.body.remaining_credits, 4)
  for (const [body, headers, status] of [
    [{ credits: 5 }, {}, 422],
    [{ credits: 0 }, { 'Idempotency-Key': 'k' }, 422],
    [{ credits: 1.5 }, { 'Idempotency-Key': 'k' }, 422],
    [{ credits: 5, seller_id: 'bob' }, { 'Idempotency-Key': 'k' }, 422],
  ] as const) {
    assert.is((await server.request('POST', '/dev/credits', { token, headers, body })).status, status)
  }
  assert.is((await server.request('POST', '/dev/credits', { body: { credits: 5 } })).status, 401)
  assert.is((await server.request('POST', '/dev/session', { body: { seller_id: 'a\nb' } })).status, 422)
  await server.close()
})

for (const [why, env] of [
  ['a secret is set', {}],
  ['it is in production', { NODE_ENV: 'production' }],
  ['others can reach it', { JWT_SECRET: '', HOST: '0.0.0.0' }],
] as const) {
  test(`nobody gets in so where ${why}`, async () => {
    const server = await startServer(env)
    const url = server.url.replace('0.0.0.0', '127.0.0.1')
    for (const path of ['/dev/session', '/dev/credits']) {
      const answer = await fetch(`${url}${path}`, { method: 'POST', body: '{"seller_id":"ann"}' })
      assert.is(answer.status, 404)
    }
    await server.close()
  })
}

test.run()
