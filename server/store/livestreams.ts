import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Db } from './database.js'

export interface Livestream {
  readonly id: string
  readonly sellerId: string
  readonly title: string
  readonly createdAt: Instant
}

interface Row {
  id: string
  seller_id: string
  title: string
  created_at: number
}

function toLivestream(row: Row): Livestream {
  return { id: row.id, sellerId: row.seller_id, title: row.title, createdAt: row.created_at }
}

/** False when the id is taken. */
export async function insertLivestream(db: Db, livestream: Livestream): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('livestreams')
    .values({
      id: livestream.id,
      seller_id: livestream.sellerId,
      title: livestream.title,
      created_at: livestream.createdAt,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function findLivestream(db: Db, id: string): Promise<Livestream | null> {
  const { rows } = await sql<Row>`select id, seller_id, title, created_at from livestreams where id = ${id}`.execute(db)
  return rows[0] ? toLivestream(rows[0]) : null
}

export interface LivestreamFilter {
  /** All sellers where it is missing. */
  readonly sellerId?: string | undefined
  readonly liveOnly: boolean
}

/**
 * A page of livestreams in the order of their ids.
 * @param after only ids past this one
 */
export async function listLivestreams(
  db: Db,
  filter: LivestreamFilter,
  after: string,
  limit: number,
): Promise<Livestream[]> {
  if (filter.liveOnly) return listLive(db, filter.sellerId, after, limit)
  let query = db.selectFrom('livestreams').selectAll().where('id', '>', after)
  if (filter.sellerId !== undefined) query = query.where('seller_id', '=', filter.sellerId)
  const rows = await query.orderBy('id').limit(limit).execute()
  return rows.map(toLivestream)
}

/** From the index of live runs: few are live of all that there ever were. */
async function listLive(db: Db, sellerId: string | undefined, after: string, limit: number): Promise<Livestream[]> {
  let query = db
    .selectFrom('runs')
    .innerJoin('livestreams', 'livestreams.id', 'runs.livestream_id')
    .selectAll('livestreams')
    .where('runs.ended_at', 'is', null)
    .where('runs.livestream_id', '>', after)
  if (sellerId !== undefined) query = query.where('runs.seller_id', '=', sellerId)
  const rows = await query.orderBy('runs.livestream_id').limit(limit).execute()
  return rows.map(toLivestream)
}
