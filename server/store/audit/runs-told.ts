import { sql } from 'kysely'
import { type RowCheck, shown } from './check.js'
import type { Part } from './words.js'

/** Of each run the events that are not about credits, from events and what their payloads tell; `also` adds columns. */
export const toldByRun = (events: Part, also: Part = sql``) => sql`
  select seller_id, run_id, count(*) filter (where kind = 'stream_started') as starts,
    max(occurred_at) filter (where kind = 'stream_started') as start_told_at,
    count(*) filter (where kind = 'stream_ended') as ends,
    max(occurred_at) filter (where kind = 'stream_ended') as end_told_at,
    max(told ->> 'reason') filter (where kind = 'stream_ended') as end_told_reason,
    min(seq) filter (where kind = 'stream_ended') as end_seq,
    count(*) filter (where kind = 'low_credit_warning' and cast(told ->> 'final' as text) in ('true', '1')) as finals,
    max(seq) filter (where kind in ('inactivity_warning', 'inactivity_cleared')) as silence_seq${also}
  from ${events} as e group by seller_id, run_id`

/** Each run beside what was told of it. */
export const runsBesideTold = (byRun: Part) => sql`
  select r.id, r.seller_id, r.started_at, r.ended_at, r.end_reason, r.warned_at, r.final_told_interval,
    coalesce(t.starts, 0) as starts, t.start_told_at, coalesce(t.ends, 0) as ends, t.end_told_at, t.end_told_reason,
    coalesce(t.finals, 0) as finals, case when r.ended_at is null then (
      select w.occurred_at from events as w
      where w.seller_id = t.seller_id and w.seq = t.silence_seq and w.kind = 'inactivity_warning') end as warning_told_at
  from runs as r left join ${byRun} as t on t.run_id = r.id and t.seller_id = r.seller_id`

/** V1: what was told of each run, beside the run. */
export const RUNS_TOLD: readonly RowCheck[] = [
  {
    rule: 'V1',
    promise: 'each run has one stream_started, of the instant at which it started',
    where: sql`starts <> 1 or start_told_at is distinct from started_at`,
    text: ({ id, seller_id, started_at, starts, start_told_at }) =>
      `run ${id} of seller ${seller_id} started at ${shown(started_at)}, and that is told ` +
      (starts === 1 ? `of ${shown(start_told_at)}` : `${starts} times`),
  },
  {
    rule: 'V1',
    promise: 'each ended run, and no live one, has one stream_ended, of its instant and reason',
    where: sql`ends <> case when ended_at is null then 0 else 1 end
        or end_told_at is distinct from ended_at or end_told_reason is distinct from end_reason`,
    text: ({ id, seller_id, ended_at, end_reason, ends, end_told_at, end_told_reason }) =>
      `run ${id} of seller ${seller_id} ` +
      (ended_at === null ? 'is live' : `ended at ${shown(ended_at)} by ${end_reason}`) +
      `, but an end is told ${ends} times${ends === 0 ? '' : `, of ${shown(end_told_at)} by ${end_told_reason}`}`,
  },
  {
    rule: 'V1',
    promise: 'a live run is warned of its silence exactly where it was told so last',
    where: sql`ended_at is null and warned_at is distinct from warning_told_at`,
    text: ({ id, seller_id, warned_at, warning_told_at }) =>
      `live run ${id} of seller ${seller_id} was ${warned_at === null ? 'not warned' : `warned at ${shown(warned_at)}`}, ` +
      `but was told ${warning_told_at === null ? 'of no warning that stands' : `of a warning at ${shown(warning_told_at)}`}`,
  },
  {
    rule: 'V1',
    promise: 'a run that was told of its final interval has the event of it',
    where: sql`final_told_interval is not null and finals = 0`,
    text: ({ id, seller_id, final_told_interval }) =>
      `run ${id} of seller ${seller_id} counts as told that interval ${final_told_interval} is its last, ` +
      'but there is no such event',
  },
]
