import { type RawBuilder, sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Outage } from '../domain/outage.js'
import type { Db } from './database.js'
import { isPostgres } from './dialect.js'

const clockNow = (db: Db): RawBuilder<number | null> =>
  isPostgres(db) ? sql`cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint)` : sql`null`

/** The database's own clock, which all servers on PostgreSQL share; null on SQLite, where it is the machine's. */
export async function databaseClock(db: Db): Promise<Instant | null> {
  if (!isPostgres(db)) return null
  const { rows } = await sql<{ now: number }>`select ${clockNow(db)} as now`.execute(db)
  return rows[0]?.now ?? null
}

/** What the database knows of the time. */
export interface StoredTime {
  /** By its own clock; null on SQLite. */
  readonly now: Instant | null
  /** The newest stamp of all servers together; null where no server ever ran (A5). */
  readonly lastStamp: Instant | null
  /** When the newest closed outage ended; null where there was none. */
  readonly lastOutageEnd: Instant | null
}

/** Reads it by one statement. */
export async function storedTime(db: Db): Promise<StoredTime> {
  const { rows } = await sql<StoredTime>`
    select (select max(at) from stamps) as "lastStamp", (select max(ended_at) from outages) as "lastOutageEnd",
      ${clockNow(db)} as now`.execute(db)
  return rows[0] ?? { now: null, lastStamp: null, lastOutageEnd: null }
}

/** The newest stamp of all servers together; null where no server ever ran (A5). */
export async function lastStamp(db: Db): Promise<Instant | null> {
  const { rows } = await sql<{ at: number | null }>`select max(at) as at from stamps`.execute(db)
  return rows[0]?.at ?? null
}

/** Whether a server other than this has stamped at or after an instant. */
export async function anotherStamped(db: Db, serverId: string, since: Instant): Promise<boolean> {
  const { rows } = await sql`select 1 from stamps where at >= ${since} and server_id <> ${serverId} limit 1`.execute(db)
  return rows.length > 0
}

/** Appends a server's sign of life. */
export async function insertStamp(db: Db, at: Instant, serverId: string): Promise<void> {
  await sql`insert into stamps (at, server_id) values (${at}, ${serverId}) on conflict do nothing`.execute(db)
}

/** Drops stamps from before an instant, but never the newest. */
export async function pruneStamps(db: Db, before: Instant): Promise<void> {
  await sql`delete from stamps where at < ${before} and at < (select max(at) from stamps)`.execute(db)
}

/** Stores a gap that has been closed (A5). */
export async function insertOutage(db: Db, beganAt: Instant, endedAt: Instant): Promise<void> {
  await db.insertInto('outages').values({ began_at: beganAt, ended_at: endedAt }).execute()
}

/** The outages that ended at or after an instant, in the order of their beginnings. */
export async function outagesSince(db: Db, at: Instant): Promise<Outage[]> {
  const { rows } = await sql<Outage>`
    select began_at as "beganAt", ended_at as "endedAt" from outages where ended_at >= ${at} order by began_at`.execute(
    db,
  )
  return rows
}
