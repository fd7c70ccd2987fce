import type { Kysely, Transaction } from 'kysely'
import type { DatabaseConfig } from '../settings.js'
import { openPostgres } from './postgres.js'
import type { Schema } from './schema.js'
import { openSqlite } from './sqlite.js'

/** A database or a transaction of it: what every function of the store takes first. */
export type Db = Kysely<Schema>
export type Tx = Transaction<Schema>

export interface Database {
  readonly db: Db
  /** What to call it where people read: without a password. */
  readonly name: string
  /** A number that changes when another process has written to the database; on PostgreSQL at every call. */
  changeMark(): number
  close(): Promise<void>
}

/**
 * Opens the database. SQLite's file is made where it is missing; PostgreSQL is connected to when it is first asked.
 * @throws SetupError when SQLite's file cannot be opened or written
 */
export function openDatabase(config: DatabaseConfig): Database {
  return config.kind === 'sqlite' ? openSqlite(config.file) : openPostgres(config)
}
