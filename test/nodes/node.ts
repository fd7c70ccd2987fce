import { type App, startApp } from '../../server/app.js'
import type { Clock } from '../../server/clock.js'
import { systemClock } from '../../server/clock.js'
import { readConfig } from '../../server/config.js'
import { type DatabasePlace, SILENT_LOG } from '../support/fresh-database.js'
import { TEST_SECRET } from '../support/server.js'

/** A server among others, in this process, by the database's clock, which counts on PostgreSQL. */
export function startNode(
  place: Pick<DatabasePlace, 'url'>,
  env: NodeJS.ProcessEnv = {},
  clock: Clock = systemClock(),
): Promise<App> {
  const config = readConfig({ DATABASE_URL: place.url, JWT_SECRET: TEST_SECRET, PORT: '0', ...env })
  return startApp(config, { clock, log: SILENT_LOG })
}

let made = 0

export interface NodeSeller {
  readonly id: string
  readonly token: string
  readonly livestreamId: string
}

/** Asks a node over REST; as a service of the host application where no token is given. */
export async function ask(
  node: App,
  method: string,
  path: string,
  { token, body }: { token?: string; body?: unknown } = {},
): Promise<{ status: number; body: Record<string, unknown> }> {
  made += 1
  const response = await fetch(`${node.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token ?? node.tokens.sign({ sub: 'host', role: 'service', ttlMs: 3_600_000 })}`,
      'idempotency-key': `ask-${made}`,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

export async function grantOn(node: App, sellerId: string, amount: number): Promise<void> {
  const { status, body } = await ask(node, 'POST', `/api/sellers/${sellerId}/credits/`, { body: { amount } })
  if (status !== 201) throw new Error(`granted: ${JSON.stringify(body)}`)
}

/** A seller of its own with credits and a livestream. */
export async function sellerOn(node: App, credits = 10): Promise<NodeSeller> {
  made += 1
  const id = `seller-${made}`
  const livestreamId = `stream-${made}`
  await ask(node, 'POST', '/api/livestreams/', { body: { title: 'T', id: livestreamId, seller_id: id } })
  if (credits > 0) await grantOn(node, id, credits)
  return { id, livestreamId, token: node.tokens.sign({ sub: id, role: 'seller', ttlMs: 3_600_000 }) }
}
