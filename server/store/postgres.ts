import { createRequire } from 'node:module'
import { Kysely, type PostgresPool } from 'kysely'
import type { PostgresConfig } from '../settings.js'
import type { Database } from './database.js'
import { RetryingPostgresDialect } from './postgres-dialect.js'
import type { Schema } from './schema.js'

/** How long a new connection may take. */
const CONNECT_WITHIN_MS = 5_000
/** How long a transaction may stand still: a process that was stopped holds its locks no longer than this. */
const IDLE_IN_TRANSACTION_MS = 5_000

const INT8 = 20

/** Loaded where it is wanted: a server on SQLite starts without it. */
const loadPg = () => createRequire(import.meta.url)('pg') as typeof import('pg')

/** Opens a pool on a PostgreSQL database; it connects when it is first asked, and again whenever it has to. */
export function openPostgres(config: PostgresConfig): Database {
  const pg = loadPg()
  const pool = new pg.Pool({
    connectionString: config.url,
    application_name: 'tallylight',
    max: config.poolSize,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    statement_timeout: config.statementTimeoutMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    types: { getTypeParser: (oid, format) => (oid === INT8 ? wholeNumber : pg.types.getTypeParser(oid, format)) },
  })
  // A connection that breaks while nobody uses it: the pool has dropped it already.
  pool.on('error', () => undefined)
  // And one that breaks while it is used: its next statement tells.
  pool.on('connect', (client) => client.on('error', () => undefined))
  const db = new Kysely<Schema>({ dialect: new RetryingPostgresDialect(pool as PostgresPool, config.retryForMs) })
  let mark = 0
  return {
    db,
    name: nameOf(config.url),
    changeMark() {
      mark += 1
      return mark
    },
    close: () => db.destroy(),
  }
}

/** Instants and credits are whole numbers that JavaScript holds exactly (B1). */
function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value))
    throw new Error(`The database holds ${text}, which is past the largest exact number`)
  return value
}

function nameOf(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  return `postgres://${hostname}${port ? `:${port}` : ''}${pathname}`
}
