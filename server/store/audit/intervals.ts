import { sql } from 'kysely'
import { check, type Scan, shown } from './check.js'
import type { Part, Words } from './words.js'

interface Deduction {
  id: number
  seller_id: string
  run_id: number
  interval_index: number
  occurred_at: number
}

/**
 * How many of the intervals `first` to `last` of a run begin in an outage, its end included, more than the run's auto-end
 * time after its beginning (B12). Counted and not walked, since there can be very many.
 */
const waived = ({ greatest, least }: Words, beganAt: Part, endedAt: Part) => {
  const from = greatest(sql`first`, sql`(${beganAt} + auto_end_ms - started_at) / interval_ms + 1`)
  const to = least(sql`last`, sql`(${endedAt} - started_at) / interval_ms`)
  return greatest(sql`0`, sql`${to} - ${from} + 1`)
}

/** Each deduction of a run beside the next one. */
const PAID = sql`
  select run_id, interval_index, lead(interval_index) over (partition by run_id order by interval_index) as next_index
  from ledger_entries where kind = 'deduction'`

const WAIVED_OR_DEDUCTED = check(
  'B2',
  'an interval that began was deducted, or waived by an outage',
  // Outages do not overlap (A5), so of those that end after a gap began, the first is where to begin looking. After the
  // newest stamp one may be open.
  (words) => sql<{ run_id: number; seller_id: string; first: number; last: number; waived: number }>`
    select * from (
      select gap.*,
        coalesce((select cast(sum(${waived(words, sql`o.began_at`, sql`o.ended_at`)}) as bigint) from outages as o
          where o.began_at < started_at + last * interval_ms and o.began_at >= (
            select began_at from outages where ended_at >= started_at + first * interval_ms
            order by ended_at limit 1)), 0)
        + coalesce((select ${waived(words, sql`newest.at`, sql`9007199254740991`)}
          from (select max(at) as at from stamps) as newest where newest.at is not null), 0) as waived
      from (
        select d.run_id, r.seller_id, r.started_at, r.interval_ms, r.auto_end_ms, d.interval_index + 1 as first,
          ${words.least(sql`coalesce(d.next_index, r.billed_intervals)`, sql`r.billed_intervals`)} - 1 as last
        from (${PAID}) as d join runs as r on r.id = d.run_id
      ) as gap where first <= last) as gaps
    where waived < last - first + 1`,
  ({ run_id, seller_id, first, last, waived }) =>
    `run ${run_id} of seller ${seller_id}: no deduction for its intervals ${first} to ${last}, ` +
    `and outages waive ${waived} of them`,
)

const ONCE = check(
  'B5',
  'an interval of a run is deducted once',
  sql<{ run_id: number; interval_index: number; ids: string }>`
    select run_id, interval_index, string_agg(cast(id as text), ',' order by id) as ids from ledger_entries
    where kind = 'deduction' group by run_id, interval_index having count(*) > 1`,
  ({ run_id, interval_index, ids }) => `interval ${interval_index} of run ${run_id} was deducted by entries ${ids}`,
)

/** B2, B5: each interval that began was paid for once, or waived. */
export const PAID_INTERVALS: Scan = {
  checks: [WAIVED_OR_DEDUCTED, ONCE],
  suspicions: ({ least }) => sql`
    select count(*) filter (where
        ${least(sql`coalesce(next_index, billed_intervals)`, sql`billed_intervals`)} > interval_index + 1) as "0",
      count(*) filter (where next_index = interval_index) as "1"
    from (${PAID}) as d left join runs as r on r.id = d.run_id`,
}

/** B2, B12: starts pay, and what an outage waives is not paid. */
export const INTERVALS = [
  check(
    'B2',
    'a start pays for interval 0',
    sql<{ id: number; seller_id: string; started_at: number }>`
      select id, seller_id, started_at from runs as r where not exists (
        select 1 from ledger_entries as d where d.run_id = r.id and d.interval_index = 0 and d.kind = 'deduction')`,
    ({ id, seller_id, started_at }) =>
      `run ${id} of seller ${seller_id}, started at ${shown(started_at)}, never paid for interval 0`,
  ),

  check(
    'B12',
    'an interval that an outage waives is not deducted',
    // Interval 0 is paid by an act, which comes after the end of an outage at its instant (B2). Few outages are long
    // enough to waive anything.
    ({ once }) => sql<Deduction & { began_at: number; ended_at: number | null }>`
      select d.*, o.began_at, o.ended_at
      from (select r.id as run_id, r.auto_end_ms, o.began_at, o.ended_at
        from outages as o join runs as r on o.ended_at > o.began_at + r.auto_end_ms and o.ended_at >= r.started_at
        ${once}) as o join ledger_entries as d on d.run_id = o.run_id
      where d.kind = 'deduction' and d.interval_index > 0 and d.occurred_at > o.began_at + o.auto_end_ms
        and d.occurred_at <= o.ended_at`,
    ({ id, seller_id, run_id, interval_index, occurred_at, began_at, ended_at }) =>
      `deduction ${id} of seller ${seller_id} is for interval ${interval_index} of run ${run_id}, ` +
      `which begins at ${shown(occurred_at)}, in the outage from ${shown(began_at)} to ${shown(ended_at)}`,
  ),
]
