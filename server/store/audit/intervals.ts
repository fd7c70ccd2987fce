import { sql } from 'kysely'
import { check, shown } from './check.js'

interface Deduction {
  id: number
  seller_id: string
  run_id: number
  interval_index: number
  occurred_at: number
}

const named = ({ id, seller_id, run_id, interval_index }: Deduction) =>
  `deduction ${id} of seller ${seller_id} is for interval ${interval_index} of run ${run_id}`

/**
 * How many of the intervals `first` to `last` of a run begin in an outage, its end included, more than the run's auto-end
 * time after its beginning (B12). Counted and not walked, since there can be very many.
 */
const waived = (beganAt: string, endedAt: string) =>
  sql.raw(`max(0, min(last, (${endedAt} - started_at) / interval_ms)
    - max(first, (${beganAt} + auto_end_ms - started_at) / interval_ms + 1) + 1)`)

/** B2, B5, B12: each interval that began was paid for once, at its beginning, or waived by an outage. */
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
    'B2',
    'an interval is deducted when it begins',
    sql<Deduction & { begins_at: number }>`
      select d.*, r.started_at + d.interval_index * r.interval_ms as begins_at
      from ledger_entries as d join runs as r on r.id = d.run_id
      where d.kind = 'deduction' and d.occurred_at is not r.started_at + d.interval_index * r.interval_ms`,
    (row) => `${named(row)}, which begins at ${shown(row.begins_at)}, but is dated ${shown(row.occurred_at)}`,
  ),

  check(
    'B2',
    'only intervals that began are deducted',
    sql<Deduction & { billed_intervals: number }>`
      select d.*, r.billed_intervals from ledger_entries as d join runs as r on r.id = d.run_id
      where d.kind = 'deduction' and not coalesce(d.interval_index between 0 and r.billed_intervals - 1, false)`,
    (row) => `${named(row)}, of which ${row.billed_intervals} intervals have begun`,
  ),

  check(
    'B2',
    'an interval that began was deducted, or waived by an outage',
    // Outages do not overlap (A5), so of those that end after a gap began, the first is where to begin looking. After the
    // newest stamp one may be open.
    sql<{ run_id: number; seller_id: string; first: number; last: number; waived: number }>`
      select * from (
        select gap.*,
          coalesce((select sum(${waived('o.began_at', 'o.ended_at')}) from outages as o
            where o.began_at < started_at + last * interval_ms and o.began_at >= (
              select began_at from outages where ended_at >= started_at + first * interval_ms
              order by ended_at limit 1)), 0)
          + coalesce((select ${waived('max(at)', '9007199254740991')} from stamps), 0) as waived
        from (
          select d.run_id, r.seller_id, r.started_at, r.interval_ms, r.auto_end_ms, d.interval_index + 1 as first,
            min(coalesce(d.next_index, r.billed_intervals), r.billed_intervals) - 1 as last
          from (
            select run_id, interval_index, lead(interval_index) over (partition by run_id order by interval_index)
              as next_index from ledger_entries where kind = 'deduction'
          ) as d join runs as r on r.id = d.run_id
        ) as gap where first <= last)
      where waived < last - first + 1`,
    ({ run_id, seller_id, first, last, waived }) =>
      `run ${run_id} of seller ${seller_id}: no deduction for its intervals ${first} to ${last}, ` +
      `and outages waive ${waived} of them`,
  ),

  check(
    'B5',
    'an interval of a run is deducted once',
    sql<{ run_id: number; interval_index: number; ids: string }>`
      select run_id, interval_index, group_concat(id) as ids from ledger_entries
      where kind = 'deduction' group by run_id, interval_index having count(*) > 1`,
    ({ run_id, interval_index, ids }) => `interval ${interval_index} of run ${run_id} was deducted by entries ${ids}`,
  ),

  check(
    'B12',
    'an interval that an outage waives is not deducted',
    // Interval 0 is paid by an act, which comes after the end of an outage at its instant (B2). Outages do not overlap
    // (A5), so the first that ends at or after an instant is the only one that it can be in.
    sql<Deduction & { began_at: number; ended_at: number | null }>`
      select d.*, o.began_at, o.ended_at
      from ledger_entries as d join runs as r on r.id = d.run_id join outages as o on o.began_at = (
        select began_at from outages where ended_at >= d.occurred_at order by ended_at limit 1)
      where d.kind = 'deduction' and d.interval_index > 0 and d.occurred_at > o.began_at + r.auto_end_ms
      union all
      select d.*, s.newest, null
      from ledger_entries as d join runs as r on r.id = d.run_id join (select max(at) as newest from stamps) as s
      where d.kind = 'deduction' and d.interval_index > 0 and d.occurred_at > s.newest + r.auto_end_ms`,
    (row) =>
      `${named(row)}, which begins at ${shown(row.occurred_at)}, in the outage from ${shown(row.began_at)} ` +
      (row.ended_at === null ? 'on, which is open' : `to ${shown(row.ended_at)}`),
  ),
]
