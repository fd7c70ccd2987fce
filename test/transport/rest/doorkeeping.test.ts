import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS } from '../../../server/domain/instant.js'
import { makeSeller } from '../../support/sellers.js'
import { type Answer, startServer, type TestServer } from '../../support/server.js'

const A_MINUTE = 600

async function many(server: TestServer, count: number, path: string, token: string): Promise<Answer[]> {
  const answers: Answer[] = []
  while (answers.length < count) {
    const atOnce = Math.min(50, count - answers.length)
    answers.push(...(await Promise.all(Array.from({ length: atOnce }, () => server.request('GET', path, { token })))))
  }
  return answers
}

test('H1: a seller may ask 600 times a minute, and is then told when to come back; others are served', async () => {
  const server = await startServer()
  try {
    const seller = await makeSeller(server)
    const beat = () => server.request('POST', `/api/livestreams/${seller.livestreamId}/heartbeat/`, seller)
    await server.request('PATCH', `/api/livestreams/start/${seller.livestreamId}/`, seller)
    const served = await many(server, A_MINUTE - 1, '/api/credits/', seller.token)
    assert.equal([...new Set(served.map(({ status }) => status))], [200])

    const refused = await beat()

    assert.equal([refused.status, refused.body.code], [429, 'rate_limited'])
    const seconds = Number(refused.headers.get('retry-after'))
    assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, `Retry-After: ${seconds}`)
    assert.is((await server.request('GET', '/api/events/', seller)).status, 429, 'whatever is asked')
    const another = server.token(seller.id, 'seller', MINUTE_MS)
    assert.is((await server.request('GET', '/api/credits/', { token: another })).status, 429, 'with whatever token')
    const other = await makeSeller(server)
    assert.is((await server.request('GET', '/api/credits/', other)).status, 200)
    const service = await many(
      server,
      A_MINUTE + 1,
      `/api/credits/?seller_id=${seller.id}`,
      server.token(seller.id, 'service'),
    )
    assert.equal([...new Set(service.map(({ status }) => status))], [200], 'services speak for many')
  } finally {
    await server.close()
  }
})

const PAGE = 'https://pages.example'
const askedHeaders = 'authorization,content-type,idempotency-key'

test('C: pages of the origins in CORS_ORIGINS may call, and no others', async () => {
  const server = await startServer({ CORS_ORIGINS: `${PAGE}, http://localhost:5173` })
  try {
    const seller = await makeSeller(server)
    const path = `/api/livestreams/start/${seller.livestreamId}/`
    for (const origin of [PAGE, 'http://localhost:5173']) {
      const asked = await server.request('OPTIONS', path, {
        headers: {
          origin,
          'access-control-request-method': 'PATCH',
          'access-control-request-headers': askedHeaders,
        },
      })
      assert.is(asked.status, 204)
      assert.is(asked.headers.get('access-control-allow-origin'), origin)
      assert.match(asked.headers.get('access-control-allow-methods') ?? '', /\bPATCH\b/)
      assert.is(asked.headers.get('access-control-allow-headers')?.toLowerCase(), askedHeaders)
      assert.match(asked.headers.get('vary') ?? '', /origin/i)
      const refused = await server.request('GET', '/api/credits/', { headers: { origin } })
      assert.equal([refused.status, refused.headers.get('access-control-allow-origin')], [401, origin], 'can be read')
      const served = await server.request('GET', '/api/credits/', { token: seller.token, headers: { origin } })
      assert.equal([served.status, served.headers.get('access-control-allow-origin')], [200, origin])
      assert.match(served.headers.get('access-control-expose-headers') ?? '', 'Retry-After')
    }
    for (const origin of ['https://evil.example', `${PAGE}.evil.example`, 'http://pages.example', 'null']) {
      const { headers } = await server.request('GET', '/api/credits/', { token: seller.token, headers: { origin } })
      assert.is(headers.get('access-control-allow-origin'), null, origin)
    }
  } finally {
    await server.close()
  }
})

test('C: without CORS_ORIGINS no page of another origin may call', async () => {
  const server = await startServer()
  try {
    for (const method of ['OPTIONS', 'GET']) {
      const { headers } = await server.request(method, '/api/credits/', {
        headers: { origin: PAGE, 'access-control-request-method': 'GET' },
      })
      assert.is(headers.get('access-control-allow-origin'), null)
    }
  } finally {
    await server.close()
  }
})

test.run()
