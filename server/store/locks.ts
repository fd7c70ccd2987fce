import { type RawBuilder, sql } from 'kysely'
import type { Db } from './database.js'
import { isPostgres } from './dialect.js'

// On SQLite a transaction that writes is alone from its beginning, so there is nothing to lock.

/** Any number that nothing else locks by: the passing of time. */
const TIME_LOCK = 7_236_811

/** Where rows are to be held until the commit, for whatever but a key: a foreign key may still point at them. */
export function heldRows(db: Db): RawBuilder<unknown> {
  return isPostgres(db) ? sql`for no key update` : sql``
}

/**
 * Before any other lock: while this transaction runs, nobody finds that a time in which it stamps was an outage (A5). Any
 * number of transactions share it.
 */
export async function shareTime(db: Db): Promise<void> {
  if (isPostgres(db)) await sql`select pg_advisory_xact_lock_shared(${TIME_LOCK})`.execute(db)
}

/** Waits until no transaction that stamps is under way, and lets none begin before the commit. */
export async function holdTime(db: Db): Promise<void> {
  if (isPostgres(db)) await sql`select pg_advisory_xact_lock(${TIME_LOCK})`.execute(db)
}
