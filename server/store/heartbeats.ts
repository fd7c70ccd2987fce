import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Db } from './database.js'
import { isOneOf, isPostgres, later } from './dialect.js'
import { heldRows } from './locks.js'

export interface Heartbeat {
  readonly livestreamId: string
  readonly sellerId: string
}

export interface RecordedHeartbeat {
  readonly livestreamId: string
  readonly runId: number
  readonly creditsConsumed: number
  readonly balance: number
  readonly lastActivityAt: Instant
}

/**
 * Holds the live runs of heartbeats until the commit, in the order of their ids, as everybody does: two batches over the
 * same runs in opposite orders would wait for each other.
 */
export async function lockRunsOf(db: Db, heartbeats: readonly Heartbeat[]): Promise<void> {
  if (!isPostgres(db)) return
  const livestreamIds = heartbeats.map(({ livestreamId }) => livestreamId)
  await sql`
    select id from runs where ended_at is null and ${isOneOf(db, sql`livestream_id`, livestreamIds)}
    order by id ${heldRows(db)}`.execute(db)
}

/**
 * Records heartbeats, in one statement, where each livestream is once at most. Takes only those whose run is live, unwarned
 * and not due (A7); the others are missing from the answer. `due_at` stays: see `dueAt`.
 */
export async function recordHeartbeats(
  db: Db,
  heartbeats: readonly Heartbeat[],
  now: Instant,
): Promise<RecordedHeartbeat[]> {
  const beats = isPostgres(db)
    ? sql`unnest(${heartbeats.map(({ livestreamId }) => livestreamId)}::text[],
        ${heartbeats.map(({ sellerId }) => sellerId)}::text[]) as beat(key, value)`
    : sql`json_each(${jsonObject(heartbeats)}) as beat`
  const { rows } = await sql<RecordedHeartbeat>`
    update runs set last_activity_at = ${later(db, sql`last_activity_at`, sql`${now}`)},
      silent_since = ${later(db, sql`silent_since`, sql`${now}`)}
    from ${beats}
    where runs.livestream_id = beat.key and runs.seller_id = beat.value
      and runs.ended_at is null and runs.warned_at is null and runs.due_at > ${now}
    returning livestream_id as "livestreamId", id as "runId", credits_consumed as "creditsConsumed",
      last_activity_at as "lastActivityAt",
      (select balance from credit_accounts where seller_id = runs.seller_id) as balance`.execute(db)
  return rows
}

/**
 * One JSON object, from livestream to seller: SQLite reads its keys and values as they are, where pairs would be parsed again
 * for each column. Written out as it is, which costs a fraction: what ids are made of is the same in JSON (domain/livestream-id.ts,
 * seller-id.ts).
 */
function jsonObject(heartbeats: readonly Heartbeat[]): string {
  return `{${heartbeats.map(({ livestreamId, sellerId }) => `"${livestreamId}":"${sellerId}"`).join()}}`
}
