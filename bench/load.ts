import type { Measured, Order } from './heartbeat-client.js'
import { startWorker } from './worker.js'

/** Puts load on a server from a process of its own, and tells what it took. */
export async function load(order: Order): Promise<Measured> {
  const client = startWorker('./heartbeat-client.ts')
  const measured = await client.ask<Measured>(order)
  await client.ended()
  return measured
}
