import { createAdapter } from '@socket.io/redis-streams-adapter'
import { createClient } from 'redis'
import type { Log } from '../../log.js'
import type { Nodes } from './nodes.js'

const LONGEST_PAUSE_MS = 2_000

/** Servers that tell each other by Redis. It may be away at the start and at any time. */
export function joinByRedis(url: string, log: Log): Nodes {
  const client = createClient({
    url,
    socket: { reconnectStrategy: (retries) => Math.min(LONGEST_PAUSE_MS, 50 * 2 ** Math.min(retries, 10)) },
  })
  let isDown = false
  client.on('error', (error: unknown) => {
    if (!isDown) log.warn({ err: error }, 'Redis does not answer: pushes across servers take up to a second')
    isDown = true
  })
  client.on('ready', () => {
    if (isDown) log.info('Redis answers again')
    isDown = false
  })
  // The adapter does not look at what becomes of a message, and nudges that wait for Redis to come back are of no use.
  const publish = client.publish.bind(client)
  // Its own connections it gives up one by one, and late: they are closed with this one.
  const duplicate = client.duplicate.bind(client)
  const copies: { destroy(): void }[] = []
  Object.assign(client, {
    publish: async (...message: Parameters<typeof publish>) =>
      client.isReady ? publish(...message).catch(() => 0) : 0,
    duplicate() {
      const copy = duplicate()
      copies.push(copy)
      const connect = copy.connect.bind(copy)
      return Object.assign(copy, {
        // One that gives up, gives up because it is closed: nobody hears of that either.
        connect: () => connect().catch(() => new Promise<never>(() => undefined)),
        disconnect: async () => undefined,
      })
    },
  })
  // Tries for ever, so that a server starts without Redis, and finds it when it is there.
  client.connect().catch(() => undefined)
  return {
    adapter: createAdapter(client, { streamName: 'tallylight', channelPrefix: 'tallylight' }),
    async close() {
      for (const one of [...copies, client]) {
        try {
          one.destroy()
        } catch {
          // It was closed already.
        }
      }
    },
  }
}
