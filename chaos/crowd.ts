import { createSecretKey } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { type CreditMeter, createCreditMeter, EVENT_KINDS } from '../client-sdk/src/index.js'

/** A seller's page, as the SDK makes it, and what it was told. */
export interface Client {
  readonly sellerId: string
  readonly livestreamId: string
  readonly meter: CreditMeter
  /** The sequences that it heard, as they came. */
  readonly heard: number[]
  /** How often it was connected. */
  connections: number
}

const HOUR_MS = 3_600_000

export function signer(secret: string): (sub: string, role: string) => string {
  const key = createSecretKey(Buffer.from(secret))
  return (sub, role) => jwt.sign({ sub, role }, key, { expiresIn: '2h' })
}

export function createClient(url: string, number: number, sign: (sub: string, role: string) => string): Client {
  const sellerId = `chaos-${number}`
  const livestreamId = `chaos-stream-${number}`
  const meter = createCreditMeter({
    url,
    livestreamId,
    getToken: () => sign(sellerId, 'seller'),
    // Errors of the connection are what this is about; they are counted by the reconnects.
    logger: { warn: () => undefined, error: (...parts) => console.error(...parts) },
  })
  const client: Client = { sellerId, livestreamId, meter, heard: [], connections: 0 }
  for (const kind of EVENT_KINDS) meter.on(kind, ({ seq }) => client.heard.push(seq))
  meter.on('stale', (since) => {
    if (since === null) client.connections += 1
  })
  return client
}

/** Asks over REST until there is an answer that is not a passing trouble. */
export async function askUntilAnswered(
  url: string,
  token: string,
  path: string,
  body: object,
  key: string,
): Promise<number> {
  const until = performance.now() + HOUR_MS
  for (;;) {
    try {
      const response = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'idempotency-key': key, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(15_000),
      })
      await response.arrayBuffer()
      if (response.status < 500) return response.status
    } catch (error) {
      if (performance.now() > until) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 300))
  }
}
