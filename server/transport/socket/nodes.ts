import type { Server } from 'socket.io'
import type { Log } from '../../log.js'
import type { DatabaseConfig } from '../../settings.js'

/** What joins the servers of one database. It may fail at any time: whatever it loses is found in the database (V3). */
export interface Nodes {
  /** Null where there is one server, or several on one SQLite file, which find each other's events by looking. */
  readonly adapter: NonNullable<Parameters<Server['adapter']>[0]> | null
  close(): Promise<void>
}

/** By Redis where there is one, and else by PostgreSQL. Loads what it takes, so that a server alone starts without it. */
export async function joinNodes(database: DatabaseConfig, redisUrl: string | null, log: Log): Promise<Nodes> {
  if (redisUrl !== null) return (await import('./redis-nodes.js')).joinByRedis(redisUrl, log)
  if (database.kind === 'postgres') return (await import('./postgres-nodes.js')).joinByPostgres(database.url, log)
  return { adapter: null, close: async () => undefined }
}
