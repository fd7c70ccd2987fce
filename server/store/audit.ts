import { sql } from 'kysely'
import { type Breach, type Check, findInScan, type Scan } from './audit/check.js'
import { CORRECTIONS } from './audit/corrections.js'
import { ENDS } from './audit/ends.js'
import { ENTRIES, ENTRIES_IN_ORDER } from './audit/entries.js'
import { EVENTS_OF_ACCOUNTS, TOLD } from './audit/events.js'
import { POSTGRES_GUARDS_IN_PLACE, SQLITE_GUARDS_IN_PLACE } from './audit/guards.js'
import { INTERVALS, PAID_INTERVALS } from './audit/intervals.js'
import { MONEY } from './audit/money.js'
import { OUTAGES } from './audit/outages.js'
import { RUNS } from './audit/runs.js'
import type { Db } from './database.js'
import { isPostgres } from './dialect.js'
import { readOnce } from './transact.js'

export type { Breach } from './audit/check.js'

export interface Audit {
  /** How much there was to look at, by name. */
  readonly checked: Readonly<Record<string, number>>
  /** Empty where all is well. */
  readonly breaches: readonly Breach[]
}

/**
 * Everything that is looked at. Triggers and constraints hold much of it already; the audit is for when one doubts them,
 * after a restored backup or a change by hand, and relies on none.
 */
const LOOKED_AT: readonly (Check | Scan)[] = [
  ...RUNS,
  ...MONEY,
  ENTRIES,
  ENTRIES_IN_ORDER,
  ...CORRECTIONS,
  ...INTERVALS,
  PAID_INTERVALS,
  ...ENDS,
  TOLD,
  ...EVENTS_OF_ACCOUNTS,
  ...OUTAGES,
]

/** What is looked at in a database like this one, and in one pass where it is together. */
export const lookedAt = (db: Db): readonly (Check | Scan)[] => [
  ...(isPostgres(db) ? POSTGRES_GUARDS_IN_PLACE : SQLITE_GUARDS_IN_PLACE),
  ...LOOKED_AT,
]

/**
 * Checks the data against every rule of B, E and V that it can show, and against what A2 and A5 say of it. All of it is
 * read in one transaction, so that it is of one instant beside a running server, which it does not hold up.
 *
 * What no data shows: what was due and not looked at yet, since any schedule of looks is right (B4); whether somebody was
 * warned who no longer has to be (B9, V4); and who asked (E1).
 */
export function auditDatabase(db: Db): Promise<Audit> {
  return isPostgres(db) ? auditByTwo(db) : readForLong(db, auditWithin)
}

/**
 * PostgreSQL does much of a query in one process, so two connections share the work. The second sees what the first sees.
 * Where there is none to be had, the first does everything.
 */
async function auditByTwo(db: Db): Promise<Audit> {
  const left = [...lookedAt(db).entries()]
  const breaches: Breach[][] = []
  // From the end, where what takes longest is, so that it is begun early.
  const lookAtMore = async (tx: Db) => {
    for (let next = left.pop(); next; next = left.pop()) breaches[next[0]] = await findAll(tx, next[1])
  }
  let second: Promise<void> | undefined
  try {
    const checked = await readForLong(db, async (tx) => {
      const { rows } = await sql<{ snapshot: string }>`select pg_export_snapshot() as snapshot`.execute(tx)
      second = helpWith(rows[0]?.snapshot)
      await lookAtMore(tx)
      return countRows(tx)
    })
    await second
    return { checked, breaches: breaches.flat() }
  } finally {
    left.length = 0
    await second?.catch(() => undefined)
  }

  async function helpWith(snapshot: string | undefined): Promise<void> {
    let helps = false
    try {
      await readForLong(db, async (tx) => {
        if (left.length === 0) return
        await sql`set transaction snapshot ${sql.lit(snapshot)}`.execute(tx)
        helps = true
        await lookAtMore(tx)
      })
    } catch (error) {
      if (helps) throw error
    }
  }
}

/** The same in a transaction that is there already. */
export async function auditWithin(tx: Db): Promise<Audit> {
  const breaches: Breach[] = []
  for (const item of lookedAt(tx)) breaches.push(...(await findAll(tx, item)))
  return { checked: await countRows(tx), breaches }
}

/** The breaches that a check finds, or all checks of a scan. */
export const findAll = (tx: Db, item: Check | Scan): Promise<Breach[]> =>
  'checks' in item ? findInScan(tx, item) : item.find(tx)

/** Reads in one transaction that may take long, and that has the memory to sort and join large tables. */
export async function readForLong<T>(db: Db, read: (tx: Db) => Promise<T>): Promise<T> {
  if (isPostgres(db)) {
    return readOnce(db, async (tx) => {
      await sql`set local statement_timeout = 0`.execute(tx)
      await sql`set local work_mem = '256MB'`.execute(tx)
      // Texts are taken apart by several processes at once.
      await sql`set local parallel_tuple_cost = 0.01`.execute(tx)
      // Tables are read over and over, so their pages are in memory.
      await sql`set local random_page_cost = 1.1`.execute(tx)
      // Every query is run once, so what compiling it takes is never made up for.
      await sql`set local jit = off`.execute(tx)
      return read(tx)
    })
  }
  const { rows } = await sql<{ cache_size: number }>`pragma cache_size`.execute(db)
  const { rows: mapped } = await sql<{ mmap_size: number }>`pragma mmap_size`.execute(db)
  await sql`pragma cache_size = -65536`.execute(db)
  // The file is read where the system has it, and not copied page by page.
  await sql`pragma mmap_size = 1099511627776`.execute(db)
  try {
    return await readOnce(db, read)
  } finally {
    await sql`pragma cache_size = ${sql.lit(rows[0]?.cache_size ?? -2000)}`.execute(db)
    await sql`pragma mmap_size = ${sql.lit(mapped[0]?.mmap_size ?? 0)}`.execute(db)
  }
}

async function countRows(db: Db): Promise<Record<string, number>> {
  const { rows } = await sql<Record<string, number>>`
    select (select count(*) from credit_accounts) as accounts, (select count(*) from livestreams) as livestreams,
      (select count(*) from runs) as runs, (select count(*) from ledger_entries) as "ledger entries",
      (select count(*) from events) as events, (select count(*) from outages) as outages`.execute(db)
  return rows[0] ?? {}
}
