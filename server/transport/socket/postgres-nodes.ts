import { createAdapter } from '@socket.io/postgres-adapter'
import pg from 'pg'
import type { Log } from '../../log.js'
import type { Nodes } from './nodes.js'

/** One listens, and one or two notify. */
const POOL_SIZE = 3

/** Servers that tell each other by LISTEN and NOTIFY. */
export function joinByPostgres(connectionString: string, log: Log): Nodes {
  const pool = new pg.Pool({ connectionString, application_name: 'tallylight nodes', max: POOL_SIZE, keepAlive: true })
  const held = new Set<pg.PoolClient>()
  let closed: Promise<void> | undefined
  pool.on('error', () => undefined)

  /** The adapter holds a connection to listen, takes another when it breaks, and never gives the broken one back. */
  async function connect(): Promise<pg.PoolClient> {
    const client = closed === undefined ? await pool.connect() : null
    // Whoever comes too late waits for ever, where an error would be tried again.
    if (!client) return new Promise(() => undefined)
    const release = client.release.bind(client)
    client.release = (error) => {
      if (held.delete(client)) release(error)
    }
    held.add(client)
    client.on('error', () => undefined)
    client.once('end', () => client.release(true))
    if (closed !== undefined) client.release(true)
    return client
  }

  const query = pool.query.bind(pool)
  return {
    adapter: createAdapter({ connect, query } as unknown as pg.Pool, {
      channelPrefix: 'tallylight',
      errorHandler: (error: unknown) => log.debug({ err: error }, 'a message between servers was lost'),
    }),
    close() {
      closed ??= pool.end()
      for (const client of held) client.release(true)
      return closed
    },
  }
}
