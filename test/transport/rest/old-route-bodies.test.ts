import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { rawRequest } from '../../support/raw-request.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const server = await startServer()
test.after(() => server.close())

const json = { 'Content-Type': 'application/json' }
const bodies: { what: string; body: Buffer | string; headers?: Record<string, string> }[] = [
  { what: 'nothing', body: '' },
  { what: 'nothing that calls itself JSON', body: '', headers: json },
  { what: 'an empty object', body: '{}', headers: json },
  { what: 'another seller', body: '{"seller_id":"somebody-else","livestream_id":"x"}', headers: json },
  { what: 'an array', body: '[1,2,3]', headers: json },
  { what: 'null', body: 'null', headers: json },
  { what: 'broken JSON', body: '{"a":', headers: json },
  { what: 'a key __proto__', body: '{"__proto__":{"role":"operator"}}', headers: json },
  { what: 'a form', body: 'seller_id=x&amount=5', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
  { what: 'bytes', body: Buffer.from([0, 255, 254, 10, 13, 0]), headers: { 'Content-Type': 'image/png' } },
  { what: 'an unknown charset', body: '{}', headers: { 'Content-Type': 'application/json; charset=klingon' } },
  { what: 'what is not gzip', body: 'not gzip', headers: { ...json, 'Content-Encoding': 'gzip' } },
  { what: '16 KiB', body: Buffer.alloc(16 * 1024, '['), headers: json },
]

const routes = [
  { method: 'PATCH', action: 'start' },
  { method: 'POST', action: 'heartbeat' },
  { method: 'POST', action: 'check_credits' },
  { method: 'PATCH', action: 'end' },
]

for (const { what, body, headers = {} } of bodies) {
  for (const chunked of [false, true]) {
    test(`H: a body is ignored: ${what}${chunked ? ', chunked' : ''}`, async () => {
      const { livestreamId, token } = await makeSeller(server)
      for (const { method, action } of routes) {
        const { status } = await rawRequest(server.url, {
          method,
          path: `/api/livestreams/${livestreamId}/${action}/`,
          headers: { ...headers, Authorization: `Bearer ${token}` },
          body: Buffer.from(body),
          chunked,
        })
        assert.is(status, 200, action)
      }
    })
  }
}

for (const { method, action } of routes) {
  for (const chunked of [false, true]) {
    test(`H, H1: more than 16 KiB is too large for ${action}${chunked ? ', chunked' : ''}, and does nothing`, async () => {
      const { livestreamId, token } = await makeSeller(server)
      if (action !== 'start') await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
      const look = () => server.request('GET', `/api/livestreams/${livestreamId}/`, { token })
      const before = await look()
      server.clock.advance(1_000)

      const { status, text } = await rawRequest(server.url, {
        method,
        path: `/api/livestreams/${livestreamId}/${action}/`,
        headers: { Authorization: `Bearer ${token}` },
        body: Buffer.alloc(16 * 1024 + 1, ' '),
        chunked,
      })

      assert.is(status, 413)
      assert.is(JSON.parse(text).code, 'payload_too_large')
      assert.equal((await look()).body, before.body)
    })
  }
}

test.run()
