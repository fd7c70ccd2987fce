import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import { dueAt, type LiveRun, type Run } from '../domain/run.js'
import type { Db } from './database.js'
import { type Cell, type Columns, insertRows, isOneOf, isPostgres, rowsOf, updateRows } from './dialect.js'
import { heldRows } from './locks.js'
import { isRefusedByRows } from './refused-rows.js'
import type { RunRow } from './schema.js'
import { doPart } from './transact.js'

/** All live runs of these sellers, oldest first; held until the commit where the transaction writes. */
export async function loadLiveRuns(db: Db, sellerIds: Iterable<string>, { held = false } = {}): Promise<LiveRun[]> {
  const { rows } = await sql<RunRow>`
    select ${RUN_COLUMNS} from runs where ended_at is null and ${isOneOf(db, sql`seller_id`, sellerIds)}
    order by id ${held ? heldRows(db) : sql``}`.execute(db)
  return rows.map(toRun).filter((run) => run.state === 'live')
}

/** The current or else the last run of each of these livestreams, by livestream; those never live are left out. */
export async function lastRuns(db: Db, livestreamIds: Iterable<string>): Promise<Map<string, Run>> {
  const { rows } = await sql<RunRow>`
    select ${RUN_COLUMNS} from ${rowsOf(
      db,
      { livestream_id: 'text' },
      [...livestreamIds].map((id) => [id]),
    )}
    join runs on runs.id = (select max(id) from runs as r where r.livestream_id = item.livestream_id)`.execute(db)
  return new Map(rows.map((row) => [row.livestream_id, toRun(row)]))
}

/** The current or else the last run of a livestream; null where it was never live. */
export async function lastRun(db: Db, livestreamId: string): Promise<Run | null> {
  const { rows } = await sql<RunRow>`
    select ${RUN_COLUMNS} from runs where livestream_id = ${livestreamId} order by id desc limit 1`.execute(db)
  return rows[0] ? toRun(rows[0]) : null
}

/** What all runs of a livestream together have consumed. */
export async function totalConsumed(db: Db, livestreamId: string): Promise<number> {
  const { rows } = await sql<{ total: number }>`
    select cast(coalesce(sum(credits_consumed), 0) as bigint) as total from runs
    where livestream_id = ${livestreamId}`.execute(db)
  return rows[0]?.total ?? 0
}

/** The id that the next run gets: ids are in the order of starting, also across deletions and rollbacks (B4). */
export async function nextRunId(db: Db): Promise<number> {
  const next = isPostgres(db)
    ? sql<{ id: number }>`select nextval('runs_id_seq') as id`
    : sql<{ id: number }>`select seq + 1 as id from sqlite_sequence where name = 'runs'`
  const { rows } = await next.execute(db)
  return rows[0]?.id ?? 1
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
 * Writes what has changed of runs that are held, and what has begun.
 * @param started the ids of those that are new
 * @param consumed what the entries of this transaction take from each run, by its id: also of runs that have ended long
 *   ago, of whom a deduction is given back
 */
export async function saveRuns(
  db: Db,
  runs: readonly Run[],
  started: ReadonlySet<number | null>,
  consumed: ReadonlyMap<number, number>,
): Promise<void> {
  const inOrder = [...runs].sort((a, b) => a.id - b.id)
  const going: Cell[][] = []
  const over: Cell[][] = []
  const begun: Cell[][] = []
  const corrected = new Map(consumed)
  for (const run of inOrder) {
    const moved = moving(run, consumed.get(run.id) ?? 0)
    if (started.has(run.id)) begun.push([...fixed(run), ...ending(run), ...moved])
    else if (run.state === 'ended') over.push([...ending(run), ...moved])
    else going.push(moved)
    corrected.delete(run.id)
  }
  await updateRows(db, 'runs', MOVING, going)
  await updateRows(db, 'runs', { ...ENDING, ...MOVING }, over)
  await updateRows(
    db,
    'runs',
    { credits_consumed: 'change', id: 'bigint' },
    [...corrected].map(([id, change]) => [change, id]),
  )
  await insertRows(db, 'runs', { ...FIXED, ...ENDING, ...MOVING }, begun)
}

/** What never changes of a run. */
const FIXED: Columns = {
  livestream_id: 'text',
  seller_id: 'text',
  started_at: 'bigint',
  interval_ms: 'bigint',
  warning_ms: 'bigint',
  auto_end_ms: 'bigint',
  low_credit_threshold: 'bigint',
  refund_grace_ms: 'bigint',
}

function fixed({ livestreamId, sellerId, startedAt, policy }: Run): Cell[] {
  const { intervalMs, warningMs, autoEndMs, lowCreditThreshold, refundGraceMs } = policy
  return [livestreamId, sellerId, startedAt, intervalMs, warningMs, autoEndMs, lowCreditThreshold, refundGraceMs]
}

/** What changes while it is live, and whose. */
const MOVING: Columns = {
  billed_intervals: 'bigint',
  paid_interval: 'bigint',
  last_activity_at: 'bigint',
  silent_since: 'bigint',
  warned_at: 'bigint',
  final_told_interval: 'bigint',
  due_at: 'bigint',
  credits_consumed: 'change',
  id: 'bigint',
}

function moving(run: Run, consumed: number): Cell[] {
  const { id, billedIntervals, paidInterval, lastActivityAt, silentSince, warnedAt, finalToldInterval } = run
  const due = run.state === 'ended' ? null : dueAt(run)
  return [billedIntervals, paidInterval, lastActivityAt, silentSince, warnedAt, finalToldInterval, due, consumed, id]
}

const ENDING: Columns = { ended_at: 'bigint', end_reason: 'text' }

function ending(run: Run): Cell[] {
  return run.state === 'ended' ? [run.endedAt, run.endReason] : [null, null]
}

/** What `toRun` reads, of the table `runs`. */
export const RUN_COLUMNS = sql.raw(
  Object.keys({ ...FIXED, ...MOVING, ...ENDING })
    .map((name) => `runs.${name}`)
    .join(', '),
)

/**
 * Makes every warned live run due at the end of an outage, which may have cleared its warning (A3, A5). A run whose row the
 * schema refuses falls due when it would have, and is settled as well then; it keeps no other from it.
 */
export async function makeWarnedRunsDue(tx: Db, at: Instant): Promise<void> {
  // In the order of their ids, as everybody locks runs.
  const warned = sql<{ id: number }>`
    select id from runs where ended_at is null and warned_at is not null and due_at > ${at} order by id ${heldRows(tx)}`
  try {
    await doPart(tx, () => sql`update runs set due_at = ${at} where id in (${warned})`.execute(tx))
  } catch (error) {
    if (!isRefusedByRows(error)) throw error
    const { rows } = await warned.execute(tx)
    await makeMostDue(tx, rows, at)
  }
}

/** Halves what is refused until it is a single run. */
async function makeMostDue(tx: Db, runs: readonly { id: number }[], at: Instant): Promise<void> {
  const of = rowsOf(
    tx,
    { id: 'bigint' },
    runs.map(({ id }) => [id]),
  )
  try {
    await doPart(tx, () => sql`update runs set due_at = ${at} where id in (select id from ${of})`.execute(tx))
  } catch (error) {
    if (!isRefusedByRows(error)) throw error
    if (runs.length <= 1) return
    const half = runs.length >> 1
    await makeMostDue(tx, runs.slice(0, half), at)
    await makeMostDue(tx, runs.slice(half), at)
  }
}

/** A row as the run that it stands for. */
export function toRun(row: RunRow): Run {
  const run: LiveRun = {
    state: 'live',
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
  if (row.ended_at === null || row.end_reason === null) return run
  return { ...run, state: 'ended', endedAt: row.ended_at, endReason: row.end_reason }
}
