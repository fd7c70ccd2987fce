import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Entry, NewEntry } from '../domain/ledger.js'
import type { Db } from './database.js'
import { type Cell, type Columns, insertRows, rowsOf } from './dialect.js'
import type { LedgerEntryRow } from './schema.js'

export interface SellerEntry {
  readonly sellerId: string
  readonly entry: NewEntry
}

/**
 * Appends entries in this order; each moves the balance of its account. Their runs are written before.
 * Fails, and the transaction with it, where an interval was deducted or corrected before (B5, B10) or a key is used (B8).
 */
export async function insertEntries(db: Db, entries: readonly SellerEntry[], now: Instant): Promise<void> {
  // Refunds find the entry that they correct by its interval, so they come after what they may correct.
  const refunds = entries.filter(({ entry }) => entry.kind === 'refund')
  const others = entries.filter(({ entry }) => entry.kind !== 'refund')
  if (others.length > 0) await insertRows(db, 'ledger_entries', COLUMNS, cellsOf(others, now))
  if (refunds.length > 0) await insertRefunds(db, refunds, now)
}

const COLUMNS: Columns = {
  seller_id: 'text',
  kind: 'text',
  amount: 'bigint',
  balance_after: 'bigint',
  livestream_id: 'text',
  run_id: 'bigint',
  interval_index: 'bigint',
  idempotency_key: 'text',
  request: 'text',
  reason: 'text',
  occurred_at: 'bigint',
  created_at: 'bigint',
}

function cellsOf(entries: readonly SellerEntry[], now: Instant): Cell[][] {
  return entries.map(({ sellerId, entry }) => [
    sellerId,
    entry.kind,
    entry.amount,
    entry.balanceAfter,
    entry.interval?.livestreamId ?? null,
    entry.interval?.runId ?? null,
    entry.interval?.intervalIndex ?? null,
    entry.idempotencyKey,
    entry.request,
    entry.reason,
    entry.occurredAt,
    now,
  ])
}

async function insertRefunds(db: Db, refunds: readonly SellerEntry[], now: Instant): Promise<void> {
  const names = sql.join(Object.keys(COLUMNS).map((name) => sql.ref(name)))
  await sql`
    insert into ledger_entries (${names}, corrects)
    select ${names}, (select d.id from ledger_entries as d
      where d.run_id = item.run_id and d.interval_index = item.interval_index and d.kind = 'deduction')
    from ${rowsOf(db, COLUMNS, cellsOf(refunds, now))} order by position`.execute(db)
}

/** The entry that a key made; null where the key is unused (B8). */
export async function entryByKey(db: Db, sellerId: string, key: string): Promise<Entry | null> {
  const row = await db
    .selectFrom('ledger_entries')
    .selectAll()
    .where('seller_id', '=', sellerId)
    .where('idempotency_key', '=', key)
    .executeTakeFirst()
  return row ? toEntry(row) : null
}

/** An entry of this seller by its id; null where there is none. */
export async function entryById(db: Db, sellerId: string, id: number): Promise<Entry | null> {
  const row = await db
    .selectFrom('ledger_entries')
    .selectAll()
    .where('seller_id', '=', sellerId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row ? toEntry(row) : null
}

/** Whether an entry corrects this one already (B10). */
export async function isCorrected(db: Db, id: number): Promise<boolean> {
  const row = await db.selectFrom('ledger_entries').select('id').where('corrects', '=', id).executeTakeFirst()
  return row !== undefined
}

/**
 * A page of entries, newest first.
 * @param before only entries with a smaller id
 */
export async function listEntries(
  db: Db,
  of: { sellerId: string; livestreamId?: string | undefined },
  before: number,
  limit: number,
): Promise<Entry[]> {
  const ofLivestream = of.livestreamId === undefined ? sql`` : sql`and livestream_id = ${of.livestreamId}`
  const { rows } = await sql<ReadRow>`
    select ${READ_COLUMNS} from ledger_entries where seller_id = ${of.sellerId} ${ofLivestream} and id < ${before}
    order by id desc limit ${limit}`.execute(db)
  return rows.map(toEntry)
}

const READ_COLUMNS = sql.raw(['id', ...Object.keys(COLUMNS), 'corrects'].join(', '))

type ReadRow = { [K in keyof LedgerEntryRow]: K extends 'id' ? number : LedgerEntryRow[K] }

function toEntry(row: ReadRow): Entry {
  const interval =
    row.livestream_id === null || row.run_id === null || row.interval_index === null
      ? null
      : { livestreamId: row.livestream_id, runId: row.run_id, intervalIndex: row.interval_index }
  return {
    id: row.id,
    kind: row.kind,
    amount: row.amount,
    balanceAfter: row.balance_after,
    interval,
    idempotencyKey: row.idempotency_key,
    request: row.request,
    reason: row.reason,
    corrects: row.corrects,
    occurredAt: row.occurred_at,
    createdAt: row.created_at,
  }
}
