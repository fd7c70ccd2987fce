import { sql } from 'kysely'
import type { EndReason, EntryKind, EventKind, EventPayloads } from '../client-sdk/protocol/index.js'
import type { Db } from '../server/store/database.js'

// What the database holds in the end, as plain rows.

export interface EntryInBooks {
  readonly kind: EntryKind
  readonly amount: number
  readonly balanceAfter: number
  readonly runId: number | null
  readonly interval: number | null
  readonly at: number
}

export interface RunInBooks {
  readonly runId: number
  readonly livestreamId: string
  readonly startedAt: number
  readonly endedAt: number | null
  readonly reason: EndReason | null
  readonly consumed: number
  readonly lastActivityAt: number
  readonly warned: boolean
}

/** Any payload may lack what only others have. */
type AnyPayload = { readonly [K in EventKind]: Partial<EventPayloads[K]> }[EventKind]
type Payload = Partial<UnionToIntersection<AnyPayload>>
type UnionToIntersection<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void ? I : never

export interface EventInBooks {
  readonly seq: number
  readonly kind: EventKind
  readonly at: number
  readonly payload: Payload
}

export interface SellerBooks {
  readonly balance: number
  readonly entries: readonly EntryInBooks[]
  readonly runs: readonly RunInBooks[]
  readonly events: readonly EventInBooks[]
}

export async function readSellerBooks(db: Db, sellerId: string): Promise<SellerBooks> {
  const account = await sql<{ balance: number }>`
    select balance from credit_accounts where seller_id = ${sellerId}`.execute(db)
  const entries = await sql<EntryInBooks>`
    select kind, amount, balance_after as "balanceAfter", run_id as "runId", interval_index as "interval", occurred_at as at
    from ledger_entries where seller_id = ${sellerId} order by id`.execute(db)
  const runs = await sql<Omit<RunInBooks, 'warned'> & { warnedAt: number | null }>`
    select runs.id as "runId", livestream_id as "livestreamId", started_at as "startedAt", ended_at as "endedAt",
      end_reason as reason, credits_consumed as consumed, last_activity_at as "lastActivityAt", warned_at as "warnedAt"
    from livestreams join runs on runs.livestream_id = livestreams.id
    where livestreams.seller_id = ${sellerId} order by runs.id`.execute(db)
  const events = await sql<Omit<EventInBooks, 'payload'> & { payload: unknown }>`
    select seq, kind, occurred_at as at, payload from events where seller_id = ${sellerId} order by seq`.execute(db)
  return {
    balance: account.rows[0]?.balance ?? 0,
    entries: entries.rows,
    runs: runs.rows.map(({ warnedAt, ...run }) => ({ ...run, warned: run.endedAt === null && warnedAt !== null })),
    events: events.rows.map((row) => ({
      ...row,
      payload: (typeof row.payload === 'string' ? JSON.parse(row.payload) : row.payload) as Payload,
    })),
  }
}

export async function readOutages(db: Db): Promise<{ from: number; to: number }[]> {
  const { rows } = await sql<{ from: number; to: number }>`
    select began_at as "from", ended_at as "to" from outages order by began_at`.execute(db)
  return rows
}

/** The newest stamp; null where no server ever stamped. */
export async function readNewestStamp(db: Db): Promise<number | null> {
  const { rows } = await sql<{ at: number | null }>`select max(at) as at from stamps`.execute(db)
  return rows[0]?.at ?? null
}

/** The earliest instant at which a live run says that it has something due. */
export async function readEarliestDue(db: Db): Promise<number | null> {
  const { rows } = await sql<{ at: number | null }>`
    select min(due_at) as at from runs where ended_at is null`.execute(db)
  return rows[0]?.at ?? null
}

export interface EntryOnOffer {
  readonly id: number
  readonly runId: number | null
  readonly interval: number | null
}

/** The newest deductions of a seller, or the newest grants, newest first: what an operator would choose from. */
export async function readNewest(db: Db, sellerId: string, kind: EntryKind, limit: number): Promise<EntryOnOffer[]> {
  const { rows } = await sql<EntryOnOffer>`
    select id, run_id as "runId", interval_index as "interval" from ledger_entries
    where seller_id = ${sellerId} and kind = ${kind} order by id desc limit ${limit}`.execute(db)
  return rows
}
