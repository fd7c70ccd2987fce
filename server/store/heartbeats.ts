import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Db } from './database.js'
import { isOneOf, isPostgres, later } from './dialect.js'
import { heldRows } from './locks.js'

export interface Heartbeat {
  readonly livestreamId: string
  readonly sellerId: string
}

export interface RecordedHeartbeat extends Heartbeat {
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
 * Records heartbeats, in one statement. Takes only those whose run is live, unwarned and not due (A7); the others are
 * missing from the answer. `due_at` stays: see `dueAt`.
 */
export async function recordHeartbeats(
  db: Db,
  heartbeats: readonly Heartbeat[],
  now: Instant,
): Promise<RecordedHeartbeat[]> {
  const recorded: RecordedHeartbeat[] = []
  for (const sellerOf of oncePerLivestream(heartbeats)) recorded.push(...(await recordOnce(db, sellerOf, now)))
  return recorded
}

/**
 * The heartbeats as maps from livestream to seller: one map, but where two sellers speak of one livestream, since only
 * one of them can be its own, and must not lose its place to the other.
 */
function oncePerLivestream(heartbeats: readonly Heartbeat[]): Map<string, string>[] {
  const maps: Map<string, string>[] = []
  for (const { livestreamId, sellerId } of heartbeats) {
    let map = maps.find((one) => !one.has(livestreamId))
    if (!map) {
      map = new Map()
      maps.push(map)
    }
    map.set(livestreamId, sellerId)
  }
  return maps
}

interface Row {
  livestream_id: string
  seller_id: string
  id: number
  credits_consumed: number
  balance: number
  last_activity_at: number
}

async function recordOnce(db: Db, sellerOf: ReadonlyMap<string, string>, now: Instant): Promise<RecordedHeartbeat[]> {
  // On SQLite an object: it reads keys and values as they are, where pairs would be parsed again for each column.
  const beats = isPostgres(db)
    ? sql`unnest(${[...sellerOf.keys()]}::text[], ${[...sellerOf.values()]}::text[]) as beat(key, value)`
    : sql`json_each(${JSON.stringify(Object.fromEntries(sellerOf))}) as beat`
  const { rows } = await sql<Row>`
    update runs set last_activity_at = ${later(db, sql`last_activity_at`, sql`${now}`)},
      silent_since = ${later(db, sql`silent_since`, sql`${now}`)}
    from ${beats}
    where runs.livestream_id = beat.key and runs.seller_id = beat.value
      and runs.ended_at is null and runs.warned_at is null and runs.due_at > ${now}
    returning livestream_id, seller_id, id, credits_consumed, last_activity_at,
      (select balance from credit_accounts where seller_id = runs.seller_id) as balance`.execute(db)
  return rows.map((row) => ({
    livestreamId: row.livestream_id,
    sellerId: row.seller_id,
    runId: row.id,
    creditsConsumed: row.credits_consumed,
    balance: row.balance,
    lastActivityAt: row.last_activity_at,
  }))
}
