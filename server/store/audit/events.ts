import { sql } from 'kysely'
import { EVENT_KINDS } from '../../../client-sdk/protocol/index.js'
import { check, type Scan, scan, shown, suspicionsOf } from './check.js'
import { RUNS_TOLD, runsBesideTold, toldByRun } from './runs-told.js'
import { looksPairedBySeller, looksPairedInOnePass } from './told.js'
import type { Part, Words } from './words.js'

/** Events and what their payloads tell of the run that they are about. */
const told = ({ json, wholeNumber, once }: Words, which: Part) => sql`(
  select e.*, told ->> 'livestream_id' as livestream_id, told ->> 'run_id' as told_run_id,
    ${wholeNumber(sql`(told ->> 'run_id')`)} as run_id, told ->> 'kind' as entry_kind
  from (select seller_id, seq, kind, occurred_at, ${json(sql`payload`)} as told from events where ${which} ${once}) as e
  ${once})`

const GAPLESS = check(
  'V2',
  'the events of a seller are 1, 2, 3, … without gaps',
  sql<{ seller_id: string; seq: number; seq_before: number }>`
    select * from (
      select seller_id, seq, coalesce(lag(seq) over (partition by seller_id order by seq), 0) as seq_before
      from events) as by_seq
    where seq is distinct from seq_before + 1`,
  ({ seller_id, seq, seq_before }) =>
    `seller ${seller_id}: event ${seq} ${seq_before === 0 ? 'is the first' : `follows event ${seq_before}`}`,
)

const wrongPlace = ({ timestamp }: Words) => sql`
  (e.told ->> 'seq') is distinct from cast(e.seq as text)
  or (e.told ->> 'occurred_at') is distinct from ${timestamp(sql`e.occurred_at`)}`

const IN_PLACE = check(
  'V2',
  'a payload tells the place and the instant of its event',
  (words) => sql<{ seller_id: string; seq: number; occurred_at: number; told: string }>`
    select seller_id, seq, occurred_at, cast(payload as text) as told from (
      select e.*, ${words.json(sql`payload`)} as told from events as e ${words.once}) as e
    where ${wrongPlace(words)}`,
  ({ seller_id, seq, occurred_at, told }) =>
    `event ${seq} of seller ${seller_id}, of ${shown(occurred_at)}, tells ${told.slice(0, 100)}`,
)

// The nth entry of a seller is the nth credit_update; where they part first, what follows is no news.
const IN_STEP = check(
  'V1',
  'each entry of the ledger has its credit_update, in the same order',
  ({ json, once }) => sql<Parting>`
    select * from (
      select seller_id, n, max(entry) as entry, max(moved) as moved, max(event) as event, max(told) as told,
        row_number() over (partition by seller_id order by n) as place
      from (
        select seller_id, row_number() over (partition by seller_id order by id) as n, id as entry,
          cast(null as bigint) as event, cast(null as text) as told,
          ${inWords(sql`kind`, sql`amount`, sql`interval_index`, sql`run_id`, sql`livestream_id`, sql`balance_after`)} as moved
        from ledger_entries
        union all
        select seller_id, row_number() over (partition by seller_id order by seq), null, seq,
          ${inWords(
            sql`(told ->> 'kind')`,
            sql`(told ->> 'change')`,
            sql`(told ->> 'interval_index')`,
            sql`(told ->> 'run_id')`,
            sql`(told ->> 'livestream_id')`,
            sql`(told ->> 'remaining_credits')`,
          )}, null
        from (select seller_id, seq, occurred_at, ${json(sql`payload`)} as told from events
          where kind = 'credit_update' ${once}) as e
      ) as movements group by seller_id, n having max(moved) is distinct from max(told)) as partings
    where place = 1`,
  ({ seller_id, n, entry, moved, event, told }) =>
    `seller ${seller_id}, movement ${n}: ` +
    `${moved === null ? 'there is no entry' : `entry ${entry} is a ${withInstant(moved)}`}, ` +
    `${told === null ? 'and no event tells it' : `and event ${event} tells of a ${withInstant(told)}`}`,
)

const NOTHING_AFTER_END = check(
  'E4',
  'nothing is told of a run after its end, but a refund',
  (words) => sql<{ seller_id: string; seq: number; kind: string; run_id: number; end_seq: number }>`
    select e.seller_id, e.seq, e.kind, e.run_id, ends.end_seq
    from ${told(words, sql`true`)} as e join (${toldByRun(told(words, sql`kind = 'stream_ended'`))}) as ends
      on ends.seller_id = e.seller_id and ends.run_id = e.run_id
    where e.seq > ends.end_seq and e.kind <> 'stream_ended'
      and not (e.kind = 'credit_update' and e.entry_kind is not distinct from 'refund')`,
  ({ seller_id, seq, kind, run_id, end_seq }) =>
    `event ${seq} of seller ${seller_id}, ${kind}, is about run ${run_id}, which ended with event ${end_seq}`,
)

const ABOUT_A_RUN = check(
  'V1',
  'an event about a run is about one of its seller, and names its livestream',
  (words) => sql<{ seller_id: string; seq: number; run_id: string; livestream_id: string; run: string | null }>`
    select e.seller_id, e.seq, e.told_run_id as run_id, e.livestream_id,
      'is of livestream ' || r.livestream_id || ' of seller ' || r.seller_id as run
    from ${told(words, sql`true`)} as e left join runs as r on r.id = e.run_id where ${ABOUT_ANOTHER_RUN}`,
  ({ seller_id, seq, run_id, livestream_id, run }) =>
    `event ${seq} of seller ${seller_id} is about run ${run_id} of livestream ${livestream_id}, ` +
    `but that run ${run ?? 'does not exist'}`,
)
const ABOUT_ANOTHER_RUN = sql`e.told_run_id is not null
  and (r.seller_id is distinct from e.seller_id or r.livestream_id is distinct from e.livestream_id)`

const KNOWN_KINDS = check(
  'V4',
  'there are no other kinds of events',
  sql<{ seller_id: string; seq: number; kind: string }>`
    select seller_id, seq, kind from events where not coalesce(kind in (${sql.join(EVENT_KINDS.map(sql.lit))}), false)`,
  ({ seller_id, seq, kind }) => `event ${seq} of seller ${seller_id} is a ${kind}`,
)

/** How many updates of credits come before another event, where no event is missing. */
const UPDATES_BEFORE = sql`, e.seq - row_number() over (partition by e.seller_id order by e.seq) as updates_before`
const UPDATES_BEFORE_END = sql`, min(updates_before) filter (where kind = 'stream_ended') as updates_before_end`

const RUNS_BESIDE_TOLD = scan(
  (words) => runsBesideTold(sql`(${toldByRun(told(words, sql`kind <> 'credit_update'`))})`),
  RUNS_TOLD,
)

const ONE_BY_ONE = [GAPLESS, IN_PLACE, IN_STEP, NOTHING_AFTER_END, ABOUT_A_RUN, KNOWN_KINDS]

/**
 * V1, V2, V4, E4, what each event tells, and what was told of each run: looked at closely where an event is not in the very
 * words of the program.
 */
export const TOLD: Scan = {
  checks: [...ONE_BY_ONE, ...RUNS_BESIDE_TOLD.checks],
  suspicions: (words) => sql`
    with others as materialized (
      select e.* ${words.isPostgres ? UPDATES_BEFORE : sql``}
      from ${told(words, sql`kind is distinct from 'credit_update'`)} as e),
    by_run as materialized (${toldByRun(sql`others`, words.isPostgres ? UPDATES_BEFORE_END : sql``)})
    select cast(odd as bigint) as "0", cast(odd as bigint) as "1", cast(odd as bigint) as "2",
      cast(odd + updates_after_end + after_end as bigint) as "3", cast(odd + about as bigint) as "4", kinds as "5",
      runs_told.*
    from (${words.isPostgres ? looksPairedInOnePass(words) : looksPairedBySeller(words)}) as paired cross join (
      select count(*) filter (where e.seq > t.end_seq and e.kind <> 'stream_ended') as after_end,
        count(*) filter (where ${ABOUT_ANOTHER_RUN}) as about,
        count(*) filter (where not coalesce(e.kind in (${sql.join(EVENT_KINDS.map(sql.lit))}), false)) as kinds
      from others as e left join runs as r on r.id = e.run_id
        left join by_run as t on t.seller_id = e.seller_id and t.run_id = e.run_id) as looked_at cross join (
      select ${suspicionsOf(RUNS_TOLD, words, ONE_BY_ONE.length)} from (${runsBesideTold(sql`by_run`)}) as r) as runs_told`,
}

/** V2, E5: accounts and their events. */
export const EVENTS_OF_ACCOUNTS = [
  check(
    'V2',
    'an account knows its newest event',
    sql<{ seller_id: string; last_seq: number; newest: number }>`
      select * from (
        select seller_id, last_seq,
          coalesce((select max(seq) from events as e where e.seller_id = a.seller_id), 0) as newest
        from credit_accounts as a) as accounts
      where last_seq is distinct from newest`,
    ({ seller_id, last_seq, newest }) =>
      `the account of seller ${seller_id} is at event ${last_seq}, but the newest is ${newest}`,
  ),

  check(
    'E5',
    'the seller of an event has an account',
    // From one seller to the next, since there are many events of each.
    sql<{ seller_id: string }>`
      with recursive sellers (seller_id) as (
        select min(seller_id) from events
        union all
        select (select min(e.seller_id) from events as e where e.seller_id > s.seller_id)
        from sellers as s where s.seller_id is not null)
      select seller_id from sellers as s where seller_id is not null
        and not exists (select 1 from credit_accounts as a where a.seller_id = s.seller_id)`,
    ({ seller_id }) =>
      `the events of seller ${seller_id} name the account of seller ${seller_id}, which does not exist`,
  ),
]

/** Where the ledger of a seller and its events part: the nth of each. */
interface Parting {
  seller_id: string
  n: number
  entry: number | null
  moved: string | null
  event: number | null
  told: string | null
}

/** A movement of credits in words, in which an entry and its event are compared: all of it, and the instant at the end. */
function inWords(kind: Part, amount: Part, interval: Part, run: Part, livestream: Part, balance: Part): Part {
  return sql`coalesce(${kind}, '?') || ' of ' || coalesce(cast(${amount} as text), '?')
    || case when ${run} is null and ${interval} is null and ${livestream} is null then '' else
      ' for interval ' || coalesce(cast(${interval} as text), 'null') || ' of run ' || coalesce(cast(${run} as text), 'null')
      || ' of livestream ' || coalesce(${livestream}, 'null') end
    || ' that leaves ' || coalesce(cast(${balance} as text), '?') || ' at ' || occurred_at`
}

const withInstant = (words: string) =>
  words.replace(
    /^(.*)( that leaves .*) at (-?\d+)$/s,
    (_, what, leaves, at) => `${what} at ${shown(Number(at))}${leaves}`,
  )
