import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import { dueAt, type LiveRun, type Run } from '../domain/run.js'
import type { Db } from './database.js'
import { eachOf } from './json.js'
import type { RunRow } from './schema.js'

/** All live runs of these sellers, oldest first. */
export async function loadLiveRuns(db: Db, sellerIds: Iterable<string>): Promise<LiveRun[]> {
  const { rows } = await sql<RunRow>`
    select * from runs where ended_at is null and seller_id in (select value from ${eachOf(sellerIds)})
    order by id`.execute(db)
  return rows.map(toRun).filter((run) => run.state === 'live')
}

/** The current or else the last run of each of these livestreams, by livestream; those never live are left out. */
export async function lastRuns(db: Db, livestreamIds: Iterable<string>): Promise<Map<string, Run>> {
  const { rows } = await sql<RunRow>`
    select runs.* from ${eachOf(livestreamIds)} as wanted
    join runs on runs.id = (select max(id) from runs as r where r.livestream_id = wanted.value)`.execute(db)
  return new Map(rows.map((row) => [row.livestream_id, toRun(row)]))
}

/** The current or else the last run of a livestream; null where it was never live. */
export async function lastRun(db: Db, livestreamId: string): Promise<Run | null> {
  return (await lastRuns(db, [livestreamId])).get(livestreamId) ?? null
}

/** What all runs of a livestream together have consumed. */
export async function totalConsumed(db: Db, livestreamId: string): Promise<number> {
  const { total } = await db
    .selectFrom('runs')
    .where('livestream_id', '=', livestreamId)
    .select(({ fn }) => fn.coalesce(fn.sum<number>('credits_consumed'), sql<number>`0`).as('total'))
    .executeTakeFirstOrThrow()
  return total
}

/** The id that the next run gets: ids are in the order of starting, also across deletions and rollbacks (B4). */
export async function nextRunId(db: Db): Promise<number> {
  const { rows } = await sql<{ seq: number }>`select seq from sqlite_sequence where name = 'runs'`.execute(db)
  return (rows[0]?.seq ?? 0) + 1
}

/** How many runs are live. */
export async function countLiveRuns(db: Db): Promise<number> {
  const { rows } = await sql<{ live: number }>`select count(*) as live from runs where ended_at is null`.execute(db)
  return rows[0]?.live ?? 0
}

/** The sellers with something live, in the order of their ids, past `after`. */
export async function liveSellers(db: Db, after: string, limit: number): Promise<string[]> {
  const { rows } = await sql<{ seller_id: string }>`
    select distinct seller_id from runs where ended_at is null and seller_id > ${after}
    order by seller_id limit ${limit}`.execute(db)
  return rows.map((row) => row.seller_id)
}

/**
 * Writes runs as they are now, new ones included. What they consumed follows their ledger entries and is not written here.
 */
export async function saveRuns(db: Db, runs: readonly Run[]): Promise<void> {
  if (runs.length === 0) return
  await sql`
    insert into runs (id, livestream_id, seller_id, started_at, ended_at, end_reason, interval_ms, warning_ms,
      auto_end_ms, low_credit_threshold, refund_grace_ms, billed_intervals, paid_interval, last_activity_at, silent_since, warned_at,
      final_told_interval, due_at)
    select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
      value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
      value ->> 15, value ->> 16, value ->> 17
    from ${eachOf([...runs].sort((a, b) => a.id - b.id).map(toColumns))} where true order by key
    on conflict (id) do update set ended_at = excluded.ended_at, end_reason = excluded.end_reason,
      billed_intervals = excluded.billed_intervals, paid_interval = excluded.paid_interval,
      last_activity_at = excluded.last_activity_at,
      silent_since = excluded.silent_since, warned_at = excluded.warned_at,
      final_told_interval = excluded.final_told_interval, due_at = excluded.due_at`.execute(db)
}

/** Makes every warned live run due at the end of an outage, which may have cleared its warning (A3, A5). */
export async function makeWarnedRunsDue(db: Db, at: Instant): Promise<void> {
  await sql`
    update runs set due_at = ${at} where ended_at is null and warned_at is not null and due_at > ${at}`.execute(db)
}

function toColumns(run: Run): (string | number | null)[] {
  const { policy } = run
  const ended = run.state === 'ended'
  return [
    run.id,
    run.livestreamId,
    run.sellerId,
    run.startedAt,
    ended ? run.endedAt : null,
    ended ? run.endReason : null,
    policy.intervalMs,
    policy.warningMs,
    policy.autoEndMs,
    policy.lowCreditThreshold,
    policy.refundGraceMs,
    run.billedIntervals,
    run.paidInterval,
    run.lastActivityAt,
    run.silentSince,
    run.warnedAt,
    run.finalToldInterval,
    ended ? null : dueAt(run),
  ]
}

function toRun(row: RunRow): Run {
  const base = {
    id: row.id,
    livestreamId: row.livestream_id,
    sellerId: row.seller_id,
    startedAt: row.started_at,
    policy: {
      intervalMs: row.interval_ms,
      warningMs: row.warning_ms,
      autoEndMs: row.auto_end_ms,
      lowCreditThreshold: row.low_credit_threshold,
      refundGraceMs: row.refund_grace_ms,
    },
    billedIntervals: row.billed_intervals,
    paidInterval: row.paid_interval,
    creditsConsumed: row.credits_consumed,
    lastActivityAt: row.last_activity_at,
    silentSince: row.silent_since,
    warnedAt: row.warned_at,
    finalToldInterval: row.final_told_interval,
  }
  if (row.ended_at === null || row.end_reason === null) return { ...base, state: 'live' }
  return { ...base, state: 'ended', endedAt: row.ended_at, endReason: row.end_reason }
}
