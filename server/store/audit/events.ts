import { sql } from 'kysely'
import { EVENT_KINDS } from '../../../client-sdk/protocol/index.js'
import { check, shown } from './check.js'

/** A payload, or JSON null where it is no JSON, so that a damaged one is told and not fallen over. */
const PAYLOAD = sql`case when json_valid(payload) then payload else 'null' end`

const EVENTS_TOLD = sql`(select seller_id, seq, kind, occurred_at, ${PAYLOAD} as told from events)`

/** The run that an event is about: an integer in so many words, since SQLite looks up no other in an index of integers. */
const RUN_ID = sql`cast(told ->> '$.run_id' as integer)`

/** V1, V2, V4, E4: each change has its event, and the events of a seller are one sequence. */
export const EVENTS = [
  check(
    'V2',
    'the events of a seller are 1, 2, 3, … without gaps',
    sql<{ seller_id: string; seq: number; seq_before: number }>`
      select * from (
        select seller_id, seq, lag(seq, 1, 0) over (partition by seller_id order by seq) as seq_before from events)
      where seq is not seq_before + 1`,
    ({ seller_id, seq, seq_before }) =>
      `seller ${seller_id}: event ${seq} ${seq_before === 0 ? 'is the first' : `follows event ${seq_before}`}`,
  ),

  check(
    'V2',
    'an account knows its newest event',
    sql<{ seller_id: string; last_seq: number; newest: number }>`
      select * from (
        select seller_id, last_seq,
          coalesce((select max(seq) from events as e where e.seller_id = a.seller_id), 0) as newest
        from credit_accounts as a)
      where last_seq is not newest`,
    ({ seller_id, last_seq, newest }) =>
      `the account of seller ${seller_id} is at event ${last_seq}, but the newest is ${newest}`,
  ),

  check(
    'V2',
    'a payload tells the place and the instant of its event',
    sql<{ seller_id: string; seq: number; occurred_at: number; told: string }>`
      select * from ${EVENTS_TOLD}
      where told ->> '$.seq' is not seq
        or told ->> '$.occurred_at' is not strftime('%Y-%m-%dT%H:%M:%fZ', occurred_at / 1000.0, 'unixepoch')`,
    ({ seller_id, seq, occurred_at, told }) =>
      `event ${seq} of seller ${seller_id}, of ${shown(occurred_at)}, tells ${told.slice(0, 100)}`,
  ),

  check(
    'V4',
    'there are no other kinds of events',
    sql<{ seller_id: string; seq: number; kind: string }>`
      select seller_id, seq, kind from events
      where not coalesce(kind in (${sql.join(EVENT_KINDS)}), false)`,
    ({ seller_id, seq, kind }) => `event ${seq} of seller ${seller_id} is a ${kind}`,
  ),

  check(
    'V1',
    'an event about a run is about one of its seller, and names its livestream',
    sql<{ seller_id: string; seq: number; run_id: number; livestream_id: string; run: string | null }>`
      select e.seller_id, e.seq, e.told ->> '$.run_id' as run_id, e.told ->> '$.livestream_id' as livestream_id,
        'is of livestream ' || r.livestream_id || ' of seller ' || r.seller_id as run
      from ${EVENTS_TOLD} as e left join runs as r on r.id = e.told ->> '$.run_id'
      where e.told ->> '$.run_id' is not null
        and (r.seller_id is not e.seller_id or r.livestream_id is not e.told ->> '$.livestream_id')`,
    ({ seller_id, seq, run_id, livestream_id, run }) =>
      `event ${seq} of seller ${seller_id} is about run ${run_id} of livestream ${livestream_id}, ` +
      `but that run ${run ?? 'does not exist'}`,
  ),

  // The nth entry of a seller is the nth credit_update; where they part first, what follows is no news. Seller by seller,
  // since a pairing of whole tables would have to be held in memory.
  check(
    'V1',
    'each entry of the ledger has its credit_update, in the same order',
    sql<{ seller_id: string; parting: string }>`
      select * from (
        select seller_id, (
          select json_object('n', n, 'entry', max(entry), 'moved', max(moved), 'event', max(event), 'told', max(told))
          from (
            select row_number() over (order by id) as n, id as entry, null as event, null as told,
              json_array(kind, amount, balance_after, livestream_id, run_id, interval_index, occurred_at) as moved
            from ledger_entries where seller_id = a.seller_id
            union all
            select row_number() over (order by seq), null, seq,
              json_insert(json_extract(${PAYLOAD}, '$.kind', '$.change', '$.remaining_credits', '$.livestream_id',
                '$.run_id', '$.interval_index'), '$[#]', occurred_at), null
            from events where seller_id = a.seller_id and kind = 'credit_update')
          group by n having max(moved) is not max(told) order by n limit 1
        ) as parting
        from credit_accounts as a)
      where parting is not null`,
    ({ seller_id, parting }) => {
      const { n, entry, moved, event, told } = JSON.parse(parting) as Parting
      return (
        `seller ${seller_id}, movement ${n}: ` +
        `${moved === null ? 'there is no entry' : `entry ${entry} is a ${inWords(moved)}`}, ` +
        `${told === null ? 'and no event tells it' : `and event ${event} tells of a ${inWords(told)}`}`
      )
    },
  ),

  check(
    'V1',
    'each run has one stream_started, of the instant at which it started',
    sql<{ id: number; seller_id: string; started_at: number; times: number; told_at: number | null }>`
      select r.id, r.seller_id, r.started_at, coalesce(s.times, 0) as times, s.told_at
      from runs as r left join (
        select ${RUN_ID} as run_id, count(*) as times, max(occurred_at) as told_at
        from ${EVENTS_TOLD} where kind = 'stream_started' group by 1) as s on s.run_id = r.id
      where s.times is not 1 or s.told_at is not r.started_at`,
    ({ id, seller_id, started_at, times, told_at }) =>
      `run ${id} of seller ${seller_id} started at ${shown(started_at)}, and that is told ` +
      (times === 1 ? `of ${shown(told_at)}` : `${times} times`),
  ),

  check(
    'V1',
    'each ended run, and no live one, has one stream_ended, of its instant and reason',
    sql<{
      id: number
      seller_id: string
      ended_at: number | null
      end_reason: string | null
      times: number
      told_at: number | null
      reason: string | null
    }>`
      select r.id, r.seller_id, r.ended_at, r.end_reason, coalesce(s.times, 0) as times, s.told_at, s.reason
      from runs as r left join (
        select ${RUN_ID} as run_id, count(*) as times, max(occurred_at) as told_at,
          told ->> '$.reason' as reason
        from ${EVENTS_TOLD} where kind = 'stream_ended' group by 1) as s on s.run_id = r.id
      where coalesce(s.times, 0) is not (r.ended_at is not null)
        or s.told_at is not r.ended_at or s.reason is not r.end_reason`,
    ({ id, seller_id, ended_at, end_reason, times, told_at, reason }) =>
      `run ${id} of seller ${seller_id} ` +
      (ended_at === null ? 'is live' : `ended at ${shown(ended_at)} by ${end_reason}`) +
      `, but an end is told ${times} times${times === 0 ? '' : `, of ${shown(told_at)} by ${reason}`}`,
  ),

  check(
    'V1',
    'a live run is warned of its silence exactly where it was told so last',
    sql<{ id: number; seller_id: string; warned_at: number | null; told_at: number | null }>`
      select r.id, r.seller_id, r.warned_at, w.told_at from runs as r left join (
        select ${RUN_ID} as run_id, max(seq), iif(kind = 'inactivity_warning', occurred_at, null) as told_at
        from ${EVENTS_TOLD} where kind in ('inactivity_warning', 'inactivity_cleared') group by 1) as w
        on w.run_id = r.id
      where r.ended_at is null and r.warned_at is not w.told_at`,
    ({ id, seller_id, warned_at, told_at }) =>
      `live run ${id} of seller ${seller_id} was ${warned_at === null ? 'not warned' : `warned at ${shown(warned_at)}`}, ` +
      `but was told ${told_at === null ? 'of no warning that stands' : `of a warning at ${shown(told_at)}`}`,
  ),

  check(
    'V1',
    'a run that was told of its final interval has the event of it',
    sql<{ id: number; seller_id: string; final_told_interval: number }>`
      select id, seller_id, final_told_interval from runs
      where final_told_interval is not null and id not in (
        select told ->> '$.run_id' from ${EVENTS_TOLD}
        where kind = 'low_credit_warning' and told ->> '$.final' and told ->> '$.run_id' is not null)`,
    ({ id, seller_id, final_told_interval }) =>
      `run ${id} of seller ${seller_id} counts as told that interval ${final_told_interval} is its last, ` +
      'but there is no such event',
  ),

  check(
    'E4',
    'nothing is told of a run after its end, but a refund',
    sql<{ seller_id: string; seq: number; kind: string; run_id: number; end_seq: number }>`
      select e.seller_id, e.seq, e.kind, ends.run_id, ends.seq as end_seq
      from (select *, ${RUN_ID} as run_id from ${EVENTS_TOLD}) as e cross join (
        select seller_id, ${RUN_ID} as run_id, min(seq) as seq
        from ${EVENTS_TOLD} where kind = 'stream_ended' group by 1, 2) as ends
        on ends.run_id = e.run_id and ends.seller_id = e.seller_id
      where e.seq > ends.seq and e.kind <> 'stream_ended'
        and not (e.kind = 'credit_update' and e.told ->> '$.kind' is 'refund')`,
    ({ seller_id, seq, kind, run_id, end_seq }) =>
      `event ${seq} of seller ${seller_id}, ${kind}, is about run ${run_id}, which ended with event ${end_seq}`,
  ),
]

/** Where the ledger of a seller and its events part: the nth of each, and both as `inWords` takes them. */
interface Parting {
  n: number
  entry: number | null
  moved: string | null
  event: number | null
  told: string | null
}

/** A movement of credits in words, from the JSON in which the entry and its event are compared. */
function inWords(movement: string): string {
  const [kind, amount, balanceAfter, livestreamId, runId, intervalIndex, at] = JSON.parse(movement) as unknown[]
  const about = runId === null ? '' : ` for interval ${intervalIndex} of run ${runId} of livestream ${livestreamId}`
  return `${kind} of ${amount}${about} at ${shown(at)} that leaves ${balanceAfter}`
}
