import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Db } from './database.js'

/** How far a pass has come: the runs up to this one, in the order in which they fall due, were looked at. */
export interface PassPosition {
  readonly dueAt: Instant
  readonly runId: number
}

export const PASS_BEGIN: PassPosition = { dueAt: -1, runId: 0 }

/** The sellers of the next runs that are due at or before an instant, and how far that brings the pass. */
export async function dueSellers(
  db: Db,
  until: Instant,
  after: PassPosition,
  limit: number,
): Promise<{ sellerIds: string[]; position: PassPosition }> {
  const { rows } = await sql<{ seller_id: string; due_at: number; id: number }>`
    select seller_id, due_at, id from runs
    where ended_at is null and due_at <= ${until} and (due_at, id) > (${after.dueAt}, ${after.runId})
    order by due_at, id limit ${limit}`.execute(db)
  const last = rows.at(-1)
  return {
    sellerIds: [...new Set(rows.map((row) => row.seller_id))].sort(),
    position: last ? { dueAt: last.due_at, runId: last.id } : after,
  }
}

/** The earliest instant at which a live run can have something due; null where nothing is live. */
export async function earliestDue(db: Db): Promise<Instant | null> {
  const { rows } = await sql<{ at: number | null }>`select min(due_at) as at from runs where ended_at is null`.execute(
    db,
  )
  return rows[0]?.at ?? null
}
