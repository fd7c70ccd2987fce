import { type RawBuilder, sql } from 'kysely'
import type { Instant } from '../server/domain/instant.js'
import type { Policy } from '../server/domain/policy.js'
import type { Db } from '../server/store/database.js'
import { isPostgres } from '../server/store/dialect.js'

/** Long silences, so that nothing but intervals falls due. */
const HOUR_MS = 3_600_000
const LIVE_POLICY: Policy = {
  intervalMs: HOUR_MS,
  warningMs: 1_000 * HOUR_MS,
  autoEndMs: 2_000 * HOUR_MS,
  lowCreditThreshold: 0,
  refundGraceMs: 0,
}
const CREDITS = 100
const ROWS_AT_ONCE = 100_000

interface Filling {
  readonly count: number
  /** When the first of them has its next deduction due. */
  readonly dueAt: Instant
  /** Over how long a time theirs are spread. */
  readonly spreadMs: number
}

/**
 * Puts live runs into a migrated, empty database, each of a seller of its own with a grant, by a few statements. On
 * PostgreSQL they go past the triggers and foreign keys, which take minutes to say yes to a million rows; what they would
 * have done is done here. Their first interval counts as waived, and no event tells of the grant. The keys of sellers are in another order
 * than what falls due, as they are with random ids.
 */
export async function fillWithLiveRuns(db: Db, { count, dueAt, spreadMs }: Filling): Promise<void> {
  const { intervalMs, warningMs, autoEndMs, lowCreditThreshold, refundGraceMs } = LIVE_POLICY
  const startsAt = dueAt - intervalMs
  // Multiplied by an odd number, no two of the numbers below 2^32 meet.
  const number = sql.raw('(n * 2654435761 % 4294967296)')
  const seller = sql`'seller-' || ${number}`
  const stream = sql`'stream-' || ${number}`
  const begins = sql`(${sql.lit(startsAt)} + n * ${sql.lit(spreadMs)} / ${sql.lit(count)})`
  const due = sql`(${begins} + ${sql.lit(intervalMs)})`
  for (let from = 1; from <= count; from += ROWS_AT_ONCE) {
    const numbers = series(db, from, Math.min(count, from + ROWS_AT_ONCE - 1))
    await db.transaction().execute(async (tx) => {
      if (isPostgres(tx)) {
        await sql`set local statement_timeout = 0`.execute(tx)
        await sql`set local session_replication_role = replica`.execute(tx)
      }
      // On SQLite the trigger of the grant moves it.
      const balance = isPostgres(tx) ? CREDITS : 0
      await sql`insert into credit_accounts (seller_id, balance, created_at)
        select ${seller}, ${sql.lit(balance)}, ${sql.lit(startsAt)} from ${numbers} order by ${seller}`.execute(tx)
      await sql`insert into livestreams (id, seller_id, title, created_at)
        select ${stream}, ${seller}, 'bench', ${sql.lit(startsAt)} from ${numbers} order by ${seller}`.execute(tx)
      await sql`insert into runs (id, livestream_id, seller_id, started_at, interval_ms, warning_ms, auto_end_ms,
          low_credit_threshold, refund_grace_ms, billed_intervals, last_activity_at, silent_since, due_at)
        select n, ${stream}, ${seller}, ${begins}, ${sql.lit(intervalMs)}, ${sql.lit(warningMs)}, ${sql.lit(autoEndMs)},
          ${sql.lit(lowCreditThreshold)}, ${sql.lit(refundGraceMs)}, 1, ${begins}, ${begins}, ${due}
        from ${numbers}`.execute(tx)
      await sql`insert into ledger_entries (seller_id, kind, amount, balance_after, idempotency_key, occurred_at, created_at)
        select ${seller}, 'grant', ${sql.lit(CREDITS)}, ${sql.lit(CREDITS)}, 'bench', ${sql.lit(startsAt)},
          ${sql.lit(startsAt)}
        from ${numbers} order by ${seller}`.execute(tx)
    })
  }
  await (isPostgres(db) ? sql`vacuum analyze` : sql`pragma wal_checkpoint(truncate)`).execute(db)
}

function series(db: Db, from: number, to: number): RawBuilder<unknown> {
  if (isPostgres(db)) return sql`generate_series(${sql.lit(from)}::bigint, ${sql.lit(to)}::bigint) as series(n)`
  return sql`(with recursive series(n) as (
    select ${sql.lit(from)} union all select n + 1 from series where n < ${sql.lit(to)}) select n from series)`
}
