import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Db } from './database.js'

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

async function recordOnce(db: Db, sellerOf: ReadonlyMap<string, string>, now: Instant): Promise<RecordedHeartbeat[]> {
  // An object, since SQLite reads its keys and values as they are, where pairs would be parsed again for each column.
  const beats = JSON.stringify(Object.fromEntries(sellerOf))
  const { rows } = await sql<{
    livestream_id: string
    seller_id: string
    id: number
    credits_consumed: number
    balance: number
    last_activity_at: number
  }>`
    update runs set last_activity_at = max(last_activity_at, ${now}), silent_since = max(silent_since, ${now})
    from json_each(${beats}) as beat
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
