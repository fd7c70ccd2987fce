import { sql } from 'kysely'
import { check, shown } from './check.js'

/** E1, E2, E5, B4: runs and entries belong together, and follow one another. */
export const RUNS = [
  check(
    'E1',
    'a run is of the seller of its livestream',
    sql<{ id: number; seller_id: string; livestream_id: string; owner: string }>`
      select r.id, r.seller_id, r.livestream_id, l.seller_id as owner
      from runs as r join livestreams as l on l.id = r.livestream_id where r.seller_id is distinct from l.seller_id`,
    ({ id, seller_id, livestream_id, owner }) =>
      `run ${id} is of seller ${seller_id}, but livestream ${livestream_id} is of seller ${owner}`,
  ),

  check(
    'E2',
    'a livestream has one live run at most, and one run at a time',
    sql<{ id: number; livestream_id: string; started_at: number; id_before: number; ended_before: number | null }>`
      select * from (
        select id, livestream_id, started_at, lag(id) over by_id as id_before, lag(ended_at) over by_id as ended_before
        from runs window by_id as (partition by livestream_id order by id)) as by_id
      where id_before is not null and not coalesce(ended_before <= started_at, false)`,
    ({ id, livestream_id, started_at, id_before, ended_before }) =>
      `livestream ${livestream_id}: run ${id} started at ${shown(started_at)}, but run ${id_before} ` +
      (ended_before === null ? 'is live' : `ended at ${shown(ended_before)}`),
  ),

  check(
    'B4',
    'run ids are in the order of starting, for each seller',
    sql<{ id: number; started_at: number; id_before: number; started_before: number }>`
      select * from (
        select id, started_at, lag(id) over by_id as id_before, lag(started_at) over by_id as started_before
        from runs window by_id as (partition by seller_id order by id)) as by_id
      where started_at < started_before`,
    ({ id, started_at, id_before, started_before }) =>
      `run ${id} started at ${shown(started_at)}, before run ${id_before}, which started at ${shown(started_before)}`,
  ),

  check(
    'B4',
    'the next run gets an id past all others',
    ({ isPostgres }) => sql<{ newest: number; counter: number | null }>`
      select * from (
        select max(id) as newest, (${
          isPostgres
            ? sql`select last_value - case when is_called then 0 else 1 end from runs_id_seq`
            : sql`select max(seq) from sqlite_sequence where name = 'runs'`
        }) as counter from runs) as ids
      where newest > coalesce(counter, 0)`,
    ({ newest, counter }) => `the counter of run ids stands at ${counter ?? 0}, but there is a run ${newest}`,
  ),

  check(
    'B4',
    'a live run is looked at when something of it is due',
    ({ least }) => sql<{ id: number; seller_id: string; due_at: number; due: number }>`
      select * from (
        select id, seller_id, due_at, ${least(
          sql`started_at + billed_intervals * interval_ms`,
          sql`silent_since + case when warned_at is null then warning_ms else auto_end_ms end`,
        )} as due from runs where ended_at is null) as live
      where due_at > due`,
    ({ id, seller_id, due_at, due }) =>
      `live run ${id} of seller ${seller_id} is looked at no sooner than ${shown(due_at)}, ` +
      `but something of it is due at ${shown(due)}`,
  ),

  check(
    'E5',
    'what a run names exists',
    sql<{ place: string; missing: string }>`
      select 'run ' || id as place, 'livestream ' || livestream_id as missing from runs as r
        where not exists (select 1 from livestreams as l where l.id = r.livestream_id)
      union all
      select 'run ' || id, 'the account of seller ' || seller_id from runs as r
        where not exists (select 1 from credit_accounts as a where a.seller_id = r.seller_id)`,
    ({ place, missing }) => `${place} names ${missing ?? 'nothing'}, which does not exist`,
  ),
]
