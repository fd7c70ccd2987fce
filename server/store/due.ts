import { type RawBuilder, sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Account } from '../domain/ledger.js'
import { lockAccounts } from './accounts.js'
import type { Db } from './database.js'
import { isOneOf, isPostgres, later } from './dialect.js'

/** How far a pass has come: the runs up to this one, in the order in which they fall due, were looked at. */
export interface PassPosition {
  readonly dueAt: Instant
  readonly runId: number
}

export const PASS_BEGIN: PassPosition = { dueAt: -1, runId: 0 }

export interface DueOptions {
  /** What to do about sellers whom another transaction holds: leave them to it, or wait for it. */
  readonly others: 'leave' | 'wait'
  /** Sellers who are passed over. */
  readonly except: ReadonlySet<string>
}

export interface DueAccounts {
  /** Of the sellers of these runs, in the order of their ids, held until the commit. */
  readonly accounts: Account[]
  readonly position: PassPosition
  /** Whether the pass has come upon anything. */
  readonly found: boolean
}

/**
 * Holds the accounts of the next runs that are due at or before an instant, or the newest stamp where that is later, and says how
 * far that brings the pass.
 */
export async function holdDueAccounts(
  db: Db,
  until: Instant,
  after: PassPosition,
  limit: number,
  { others, except }: DueOptions,
): Promise<DueAccounts> {
  // On SQLite whoever writes is alone.
  if (others === 'leave' || !isPostgres(db)) return holdFreeAccounts(db, until, after, limit, except)
  const { rows } = await sql<{ seller_id: string; due_at: number; id: number }>`
    select seller_id, due_at, id from runs
    where ended_at is null and due_at <= ${notBeforeStamp(db, until)} and (due_at, id) > (${after.dueAt}, ${after.runId})
      ${butOf(db, sql`seller_id`, except)}
    order by due_at, id limit ${limit}`.execute(db)
  const sellerIds = new Set(rows.map((row) => row.seller_id))
  const accounts = sellerIds.size === 0 ? [] : await lockAccounts(db, sellerIds)
  return { accounts, position: positionAfter(rows.at(-1), after), found: rows.length > 0 }
}

/**
 * By one statement, which goes on past what is held until it has enough: several sweeps that begin at one place would
 * otherwise find one another's batches again and again. It waits for nobody, so it may lock in whatever order.
 */
async function holdFreeAccounts(
  db: Db,
  until: Instant,
  after: PassPosition,
  limit: number,
  except: ReadonlySet<string>,
): Promise<DueAccounts> {
  const free = isPostgres(db) ? sql`for no key update of a skip locked` : sql``
  const { rows } = await sql<{ seller_id: string; balance: number; last_seq: number; due_at: number; id: number }>`
    select a.seller_id, a.balance, a.last_seq, r.due_at, r.id
    from runs as r join credit_accounts as a on a.seller_id = r.seller_id
    where r.ended_at is null and r.due_at <= ${notBeforeStamp(db, until)} and (r.due_at, r.id) > (${after.dueAt}, ${after.runId})
      ${butOf(db, sql`r.seller_id`, except)}
    order by r.due_at, r.id limit ${limit} ${free}`.execute(db)
  const bySeller = new Map(
    rows.map((row) => [row.seller_id, { sellerId: row.seller_id, balance: row.balance, lastSeq: row.last_seq }]),
  )
  const accounts = [...bySeller.values()].sort((a, b) => (a.sellerId < b.sellerId ? -1 : 1))
  return { accounts, position: positionAfter(rows.at(-1), after), found: rows.length > 0 }
}

/** Time stands still until the clock has caught up with the newest stamp. */
function notBeforeStamp(db: Db, until: Instant): RawBuilder<number> {
  return later(db, sql`${until}`, sql`coalesce((select max(at) from stamps), 0)`)
}

function positionAfter(last: { due_at: number; id: number } | undefined, after: PassPosition): PassPosition {
  return last ? { dueAt: last.due_at, runId: last.id } : after
}

/** The earliest instant at which a live run of other sellers than these can have something due; null where none is live. */
export async function earliestDue(db: Db, except: ReadonlySet<string> = new Set()): Promise<Instant | null> {
  const { rows } = await sql<{ at: number | null }>`
    select min(due_at) as at from runs where ended_at is null ${butOf(db, sql`seller_id`, except)}`.execute(db)
  return rows[0]?.at ?? null
}

function butOf(db: Db, seller: RawBuilder<unknown>, sellerIds: ReadonlySet<string>): RawBuilder<unknown> {
  return sellerIds.size === 0 ? sql`` : sql`and not ${isOneOf(db, seller, sellerIds)}`
}
