import type { TestServer } from './server.js'

let made = 0

export interface TestSeller {
  readonly id: string
  readonly token: string
  readonly livestreamId: string
}

/** A seller of its own with credits and a livestream that is not live yet. */
export async function makeSeller(server: TestServer, credits = 10): Promise<TestSeller> {
  made += 1
  const id = `seller-${made}`
  const token = server.token(id)
  const livestreamId = `stream-${made}`
  const service = server.token('host', 'service')
  await server.request('POST', '/api/livestreams/', {
    token: service,
    body: { title: `Stream ${made}`, id: livestreamId, seller_id: id },
  })
  if (credits > 0) await grant(server, id, credits)
  return { id, token, livestreamId }
}

/** Grants credits over REST, each time with a key of its own. */
export async function grant(server: TestServer, sellerId: string, credits: number): Promise<void> {
  made += 1
  const answer = await server.request('POST', `/api/sellers/${sellerId}/credits/`, {
    token: server.token('host', 'service'),
    headers: { 'Idempotency-Key': `grant-${made}` },
    body: { amount: credits },
  })
  if (answer.status !== 201) throw new Error(`grant failed: ${JSON.stringify(answer.body)}`)
}
