import { sql } from 'kysely'
import { check, shown } from './check.js'

interface Ended {
  id: number
  seller_id: string
  ended_at: number
  end_reason: string
}

const named = ({ id, seller_id, ended_at, end_reason }: Ended) =>
  `run ${id} of seller ${seller_id} ended at ${shown(ended_at)} by ${end_reason}`

/** The beginning of the first interval that did not begin any more. */
const NEXT_INTERVAL = sql`(r.started_at + r.billed_intervals * r.interval_ms)`

const DEADLINE = sql`(r.silent_since + r.auto_end_ms)`

/** The beginning of the first outage that ends after a run fell silent; they do not overlap (A5), so others begin later. */
const NEXT_OUTAGE = sql`(
  select began_at from outages as o where o.ended_at > r.silent_since order by o.ended_at limit 1)`

/** Whether an outage, or a time after the newest stamp that may be one, restarts the silence of a run (A5). */
const RESTARTED = sql`(
  coalesce(${NEXT_OUTAGE} < ${DEADLINE}, false) or coalesce((select max(at) from stamps) < ${DEADLINE}, false))`

/**
 * The balance when it was the run's turn at its end: after all that was due before, older runs first (B4), and before the
 * acts of that instant. That is what the first entry past it starts from. Looked for from the run's own last deduction
 * on, so that it is found at once however long the ledger is.
 */
const BALANCE_AT_END = sql`coalesce(
  (select n.balance_after - n.amount from ledger_entries as n
    where n.seller_id = r.seller_id
      and n.id > coalesce((select d.id from ledger_entries as d where d.run_id = r.id and d.kind = 'deduction'
        order by d.interval_index desc limit 1), 0)
      and (n.occurred_at > r.ended_at or (n.occurred_at = r.ended_at
        and not (n.kind = 'deduction' and n.interval_index > 0 and n.run_id < r.id)))
    order by n.id limit 1),
  (select balance from credit_accounts as a where a.seller_id = r.seller_id))`

/** B3, B6, E3, E4: runs end when and why the rules say, and then are over. */
export const ENDS = [
  check(
    'E4',
    'a run is live and due, or it has an end with a known reason',
    sql<Ended & { started_at: number }>`
      select id, seller_id, started_at, ended_at, end_reason from runs
      where not case
        when ended_at is null then end_reason is null and due_at is not null
        else coalesce(ended_at >= started_at and due_at is null
          and end_reason in ('seller', 'inactivity', 'credits_exhausted', 'operator'), false) end`,
    (row) =>
      row.ended_at === null
        ? `run ${row.id} of seller ${row.seller_id} has no end, but the reason ${row.end_reason} or nothing due`
        : `${named(row)}, which is no end of a run that started at ${shown(row.started_at)}`,
  ),

  check(
    'B3',
    'a run ends for want of credits at the beginning of an interval',
    sql<Ended & { next_interval_at: number; billed_intervals: number }>`
      select *, ${NEXT_INTERVAL} as next_interval_at from runs as r
      where end_reason = 'credits_exhausted' and ended_at is distinct from ${NEXT_INTERVAL}`,
    (row) => `${named(row)}, but its interval ${row.billed_intervals} begins at ${shown(row.next_interval_at)}`,
  ),

  check(
    'B3',
    'a run ends for want of credits where the account has none',
    sql<Ended & { balance: number }>`
      select * from (select *, ${BALANCE_AT_END} as balance from runs as r where end_reason = 'credits_exhausted') as exhausted
      where balance <> 0`,
    (row) => `${named(row)}, but the balance was ${row.balance}`,
  ),

  check(
    'B12',
    'no run ends for want of credits at an interval that an outage waives',
    sql<Ended & { began_at: number; outage_ended_at: number }>`
      select r.*, o.began_at, o.ended_at as outage_ended_at from runs as r join outages as o on o.began_at = (
        select began_at from outages where ended_at >= r.ended_at order by ended_at limit 1)
      where r.end_reason = 'credits_exhausted' and r.ended_at > o.began_at + r.auto_end_ms`,
    (row) => `${named(row)}, in the outage from ${shown(row.began_at)} to ${shown(row.outage_ended_at)}`,
  ),

  check(
    'B6',
    'an ended run was billed for what began before its end, and for nothing else',
    // An end by the seller or an operator comes after what is due at its instant, a deadline before it.
    sql<Ended & { billed_intervals: number; next_interval_at: number }>`
      select *, ${NEXT_INTERVAL} as next_interval_at from runs as r
      where ended_at is not null and not case
        when end_reason in ('seller', 'operator')
          then ended_at < ${NEXT_INTERVAL} and ended_at >= ${NEXT_INTERVAL} - interval_ms
        when end_reason = 'inactivity' then ended_at <= ${NEXT_INTERVAL} and ended_at > ${NEXT_INTERVAL} - interval_ms
        else true end`,
    (row) =>
      `${named(row)}, but ${row.billed_intervals} of its intervals have begun, and the next begins ` +
      `at ${shown(row.next_interval_at)}`,
  ),

  check(
    'E4',
    'there is no activity after an end',
    sql<Ended & { last_activity_at: number }>`select * from runs where last_activity_at > ended_at`,
    (row) => `${named(row)}, but was active at ${shown(row.last_activity_at)}`,
  ),

  check(
    'A2',
    'silence counts from the last activity, or from the end of a later outage',
    sql<{ id: number; seller_id: string; last_activity_at: number; silent_since: number }>`
      select id, seller_id, last_activity_at, silent_since from runs as r
      where silent_since is distinct from last_activity_at and not (
        coalesce(silent_since > last_activity_at, false)
        and exists (select 1 from outages as o where o.ended_at = r.silent_since))`,
    ({ id, seller_id, last_activity_at, silent_since }) =>
      `run ${id} of seller ${seller_id} was last active at ${shown(last_activity_at)}, ` +
      `but is silent since ${shown(silent_since)}, where no outage ended`,
  ),

  check(
    'B6',
    'a run ends by inactivity at its deadline',
    sql<Ended & { deadline: number }>`
      select *, ${DEADLINE} as deadline from runs as r
      where end_reason = 'inactivity' and ended_at is distinct from ${DEADLINE}`,
    (row) => `${named(row)}, but its deadline is ${shown(row.deadline)}`,
  ),

  check(
    'A5',
    'no run ends by a silence that an outage restarts',
    sql<Ended & { silent_since: number }>`
      select * from runs as r where end_reason = 'inactivity' and ${NEXT_OUTAGE} < r.ended_at`,
    (row) => `${named(row)}, silent since ${shown(row.silent_since)}, but there was an outage in that silence`,
  ),

  check(
    'E3',
    'no run outlives its deadline',
    sql<Ended & { deadline: number }>`
      select *, ${DEADLINE} as deadline from runs as r
      where end_reason in ('seller', 'operator', 'credits_exhausted')
        and (${DEADLINE} < ended_at or (${DEADLINE} = ended_at and end_reason <> 'credits_exhausted'))
        and not ${RESTARTED}`,
    (row) => `${named(row)}, but was due to end by inactivity at ${shown(row.deadline)}`,
  ),

  check(
    'E3',
    'on a tie a run ends for want of credits before it ends by inactivity',
    sql<Ended>`
      select * from runs as r
      where end_reason = 'inactivity' and ended_at = ${NEXT_INTERVAL} and ${BALANCE_AT_END} = 0`,
    (row) => `${named(row)}, but at that instant an interval began that could not be paid`,
  ),

  check(
    'B11',
    'a seller’s live runs are settled up to the seller’s newest entry',
    ({ least }) => sql<{ id: number; seller_id: string; due_at: number; occurred_at: number }>`
      select * from (
        select id, seller_id, ${least(
          NEXT_INTERVAL,
          sql`case when ${RESTARTED} then ${NEXT_INTERVAL} else ${DEADLINE} end`,
        )} as due_at, (select occurred_at from ledger_entries as e where e.seller_id = r.seller_id
          order by id desc limit 1) as occurred_at
        from runs as r where ended_at is null) as live
      where due_at <= occurred_at`,
    ({ id, seller_id, due_at, occurred_at }) =>
      `live run ${id} of seller ${seller_id} has something due at ${shown(due_at)} that was not done before ` +
      `the seller’s entry of ${shown(occurred_at)}`,
  ),
]
