import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { uptimeMs } from '../clock.js'
import { Refusal } from '../domain/errors.js'
import type { Db, Tx } from './database.js'
import { RetryingPostgresAdapter } from './postgres-dialect.js'
import { TransactionalSqliteAdapter } from './sqlite-dialect.js'

const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 250

/**
 * Runs a transaction that writes; again where nothing of it has happened and trying again can help: PostgreSQL undid it
 * for the sake of another (a deadlock, a conflict), or the connection was lost before the commit. A connection lost *in*
 * the commit is told to the caller, since nobody knows what became of it.
 * @throws Refusal `temporarily_unavailable` where the database could not be had for as long as the settings say
 */
export async function transact<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  const { adapter } = db.getExecutor()
  const retryForMs = adapter instanceof RetryingPostgresAdapter ? adapter.retryForMs : 0
  const startedAt = uptimeMs()
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    let committing = false
    try {
      return await db.transaction().execute(async (tx) => {
        const value = await work(tx)
        committing = true
        return value
      })
    } catch (error) {
      const canHelp = isUndone(error) || (!committing && isUnavailable(error))
      if (!canHelp || uptimeMs() - startedAt > retryForMs) throw error
      await sleep(Math.random() * pauseMs)
    }
  }
}

/** What a transaction did that others see by now, and that may not be on disk yet. */
export interface Committed<T> {
  readonly value: T
  /** Resolves once it is; rejects with a Refusal `temporarily_unavailable` where the disk does not take it. */
  readonly onDisk: Promise<void>
}

/**
 * Like `transact`; but on SQLite, where a commit holds the event loop until the disk has it, a slow disk is waited for beside the
 * event loop. For what comes often, and by hundreds.
 */
export async function commitFreely<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<Committed<T>> {
  const { adapter } = db.getExecutor()
  if (!(adapter instanceof TransactionalSqliteAdapter)) {
    return { value: await transact(db, work), onDisk: Promise.resolve() }
  }
  const { disk } = adapter
  const value = await db.connection().execute((alone) => disk.unsynced(() => transact(alone, work)))
  const onDisk = disk.sync()
  // Whoever waits for it may do so later, or, where nothing was written, not at all.
  onDisk.catch(() => undefined)
  return { value, onDisk }
}

/** Does a part of a transaction, which alone is undone where it fails: PostgreSQL gives up the whole of it otherwise. */
export async function doPart<T>(tx: Db, part: () => Promise<T>): Promise<T> {
  await sql`savepoint part`.execute(tx)
  try {
    const value = await part()
    await sql`release savepoint part`.execute(tx)
    return value
  } catch (error) {
    // Where that fails too, the transaction is gone, and the first error says why.
    await sql`rollback to savepoint part`.execute(tx).catch(() => undefined)
    await sql`release savepoint part`.execute(tx).catch(() => undefined)
    throw error
  }
}

/** Reads in one transaction, so that all of it is of one instant (V3), and holds nobody up. */
export function readOnce<T>(db: Db, read: (tx: Tx) => Promise<T>): Promise<T> {
  return db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(read)
}

/** 40001 a conflict of serialization, 40P01 a deadlock: the transaction was undone, and may be run again. */
function isUndone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '40001' || error.code === '40P01')
}

function isUnavailable(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'temporarily_unavailable'
}
