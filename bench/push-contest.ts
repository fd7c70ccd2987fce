import type { ConnectOrder, Heard } from './connect-client.js'
import type { Began, PushOrder, Ready, Spent } from './push-server.js'
import { startWorker } from './worker.js'

// Servers of bench/push-server.ts with a socket for each seller, which are told to push in turn.

export interface Push {
  /** From its beginning until every socket has heard. */
  readonly ms: number
  /** What all frames together took on the wire. */
  readonly bytes: number
  /** CPU time of the server's process for all of it. */
  readonly cpuMs: number
}

export interface Pusher {
  /** Writes an event for each seller, and then pushes them all. */
  push(): Promise<Push>
  close(): Promise<void>
}

export async function startPusher(order: PushOrder): Promise<Pusher> {
  const args = order.by === 'ours' ? process.env['BENCH_NODE_ARGS']?.split(' ') : []
  const server = startWorker('./push-server.ts', args)
  const { url, sellers } = await server.ask<Ready>(order)
  const client = startWorker('./connect-client.ts')
  await client.ask({ kind: 'socket.io', url, sellers, subscribe: true } satisfies ConnectOrder)
  return {
    async push() {
      await server.ask('grant')
      await client.ask('hear')
      const heard = client.next<Heard>()
      const began = await server.ask<Began>('push')
      const { at, bytes } = await heard
      const { cpuMs } = await server.ask<Spent>('spent')
      return { ms: Math.max(...at) - began.at, bytes, cpuMs }
    },
    async close() {
      await client.end()
      await server.end()
    },
  }
}
