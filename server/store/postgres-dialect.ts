import {
  type DatabaseConnection,
  type Driver,
  PostgresAdapter,
  PostgresDialect,
  PostgresDriver,
  type PostgresPool,
} from 'kysely'
import { TellingConnection, telling } from './telling.js'

/** Kysely's PostgreSQL dialect, but that a database that cannot be had is told as such, and how long one tries again. */
export class RetryingPostgresDialect extends PostgresDialect {
  readonly #pool: PostgresPool
  readonly #retryForMs: number

  constructor(pool: PostgresPool, retryForMs: number) {
    super({ pool })
    this.#pool = pool
    this.#retryForMs = retryForMs
  }

  override createDriver(): Driver {
    return new TellingPostgresDriver({ pool: this.#pool })
  }

  override createAdapter(): RetryingPostgresAdapter {
    return new RetryingPostgresAdapter(this.#retryForMs)
  }
}

export class RetryingPostgresAdapter extends PostgresAdapter {
  /** How long a transaction is tried again. */
  readonly retryForMs: number

  constructor(retryForMs: number) {
    super()
    this.retryForMs = retryForMs
  }
}

class TellingPostgresDriver extends PostgresDriver {
  readonly #telling = new WeakMap<DatabaseConnection, TellingConnection>()

  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await telling(() => super.acquireConnection())
    const known = this.#telling.get(connection)
    if (known) return known
    const made = new TellingConnection(connection)
    this.#telling.set(connection, made)
    return made
  }

  override releaseConnection(connection: DatabaseConnection): Promise<void> {
    // biome-ignore lint/suspicious/noExplicitAny: Kysely keeps the type of its connections to itself
    return super.releaseConnection((connection as TellingConnection).inner as any)
  }
}
