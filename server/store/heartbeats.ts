import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Db } from './database.js'
import { eachOf } from './json.js'

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
 * Records heartbeats, one of a livestream at most, in one statement. Takes only those whose run is live, unwarned and not
 * due (A7); the others are missing from the answer. `due_at` stays: see `dueAt`.
 */
export async function recordHeartbeats(
  db: Db,
  heartbeats: readonly Heartbeat[],
  now: Instant,
): Promise<RecordedHeartbeat[]> {
  const { rows } = await sql<{
    livestream_id: string
    seller_id: string
    id: number
    credits_consumed: number
    balance: number
    last_activity_at: number
  }>`
    update runs set last_activity_at = max(last_activity_at, ${now}), silent_since = max(silent_since, ${now})
    from ${eachOf(heartbeats.map(({ livestreamId, sellerId }) => [livestreamId, sellerId]))} as beat
    where runs.livestream_id = beat.value ->> 0 and runs.seller_id = beat.value ->> 1
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
