import { sql } from 'kysely'
import { check, shown } from './check.js'

/** E1, E2, E5, B4: runs and entries belong together, and follow one another. */
export const RUNS = [
  check(
    'E1',
    'a run is of the seller of its livestream',
    sql<{ id: number; seller_id: string; livestream_id: string; owner: string }>`
      select r.id, r.seller_id, r.livestream_id, l.seller_id as owner
      from runs as r join livestreams as l on l.id = r.livestream_id where r.seller_id is not l.seller_id`,
    ({ id, seller_id, livestream_id, owner }) =>
      `run ${id} is of seller ${seller_id}, but livestream ${livestream_id} is of seller ${owner}`,
  ),

  check(
    'E1',
    'an entry for a run is of the seller and the livestream of that run',
    sql<{ id: number; seller_id: string; livestream_id: string | null; run_id: number; owner: string }>`
      select e.id, e.seller_id, e.livestream_id, e.run_id, r.livestream_id || ' of seller ' || r.seller_id as owner
      from ledger_entries as e join runs as r on r.id = e.run_id
      where e.seller_id is not r.seller_id or e.livestream_id is not r.livestream_id`,
    ({ id, seller_id, livestream_id, run_id, owner }) =>
      `entry ${id} is of livestream ${livestream_id} of seller ${seller_id}, but run ${run_id} is of livestream ${owner}`,
  ),

  check(
    'E2',
    'a livestream has one live run at most, and one run at a time',
    sql<{ id: number; livestream_id: string; started_at: number; id_before: number; ended_before: number | null }>`
      select * from (
        select id, livestream_id, started_at, lag(id) over by_id as id_before, lag(ended_at) over by_id as ended_before
        from runs window by_id as (partition by livestream_id order by id))
      where id_before is not null and not coalesce(ended_before <= started_at, false)`,
    ({ id, livestream_id, started_at, id_before, ended_before }) =>
      `livestream ${livestream_id}: run ${id} started at ${shown(started_at)}, but run ${id_before} ` +
      (ended_before === null ? 'is live' : `ended at ${shown(ended_before)}`),
  ),

  check(
    'B4',
    'run ids are in the order of starting',
    sql<{ id: number; started_at: number; id_before: number; started_before: number }>`
      select * from (
        select id, started_at, lag(id) over by_id as id_before, lag(started_at) over by_id as started_before
        from runs window by_id as (order by id))
      where started_at < started_before`,
    ({ id, started_at, id_before, started_before }) =>
      `run ${id} started at ${shown(started_at)}, before run ${id_before}, which started at ${shown(started_before)}`,
  ),

  check(
    'B4',
    'the next run gets an id past all others',
    sql<{ newest: number; counter: number | null }>`
      select * from (
        select max(id) as newest, (select max(seq) from sqlite_sequence where name = 'runs') as counter from runs)
      where newest > coalesce(counter, 0)`,
    ({ newest, counter }) => `the counter of run ids stands at ${counter ?? 0}, but there is a run ${newest}`,
  ),

  check(
    'B4',
    'a live run is looked at when something of it is due',
    sql<{ id: number; seller_id: string; due_at: number; due: number }>`
      select * from (
        select id, seller_id, due_at, min(started_at + billed_intervals * interval_ms,
          silent_since + iif(warned_at is null, warning_ms, auto_end_ms)) as due from runs where ended_at is null)
      where due_at > due`,
    ({ id, seller_id, due_at, due }) =>
      `live run ${id} of seller ${seller_id} is looked at no sooner than ${shown(due_at)}, ` +
      `but something of it is due at ${shown(due)}`,
  ),

  check(
    'E5',
    'what is named exists',
    sql<{ place: string; missing: string }>`
      select 'run ' || id as place, 'livestream ' || livestream_id as missing from runs
        where livestream_id is null or livestream_id not in (select id from livestreams)
      union all
      select 'run ' || id, 'the account of seller ' || seller_id from runs
        where seller_id is null or seller_id not in (select seller_id from credit_accounts)
      union all
      select 'entry ' || id, 'the account of seller ' || seller_id from ledger_entries
        where seller_id is null or seller_id not in (select seller_id from credit_accounts)
      union all
      select 'entry ' || id, 'run ' || run_id from ledger_entries
        where run_id is not null and run_id not in (select id from runs)
      union all
      select 'entry ' || id, 'livestream ' || livestream_id from ledger_entries
        where livestream_id is not null and livestream_id not in (select id from livestreams)
      union all
      select 'event ' || seq || ' of seller ' || seller_id, 'the account of seller ' || seller_id from events
        where seller_id not in (select seller_id from credit_accounts)`,
    ({ place, missing }) => `${place} names ${missing ?? 'nothing'}, which does not exist`,
  ),
]
