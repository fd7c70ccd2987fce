import { sql } from 'kysely'
import type { Words } from './words.js'

// Reading the JSON of millions of payloads takes long. So they are compared as text with what the program would have
// written, field by field in its order: where they agree, all is well. Each of these counts in `odd` what does not agree,
// or has gaps, or is told after an end; only then is it looked at closely, and the JSON decides. That a sequence is not
// there twice is held by the key of the table, which on PostgreSQL is looked for among the guards.

const PLACE = ({ timestamp }: Words) =>
  sql`'{"seq":' || seq || ',"occurred_at":"' || ${timestamp(sql`occurred_at`)} || '",'`

/** What a payload of a `credit_update` says of its entry. */
const MOVEMENT = sql`'"livestream_id":' || coalesce('"' || livestream_id || '"', 'null')
  || ',"run_id":' || coalesce(cast(run_id as text), 'null') || ',"remaining_credits":' || balance_after
  || ',"change":' || amount || ',"kind":"' || kind || '","interval_index":'
  || coalesce(cast(interval_index as text), 'null') || ',"runs":'`

/** A number for a seller, since numbers are sorted sooner; two that share one would only be looked at closely. */
const SELLER = sql`hashtextextended(seller_id, 0)`

/**
 * For SQLite, which has no other joins than loops: the movements of a seller, put together to one text by the ledger and
 * to one by the events. A text holds a billion bytes, and with it the ledger of a seller some ten million entries.
 */
export const looksPairedBySeller = (words: Words) => sql`
  select count(*) as odd, 0 as updates_after_end from (
    select seller_id, (select string_agg(movement || occurred_at, ';') from (
        select ${MOVEMENT} as movement, occurred_at from ledger_entries as e where e.seller_id = a.seller_id order by id)
      ) as moved, (select case when min(seq) = 1 and max(seq) = count(*) and min(in_place)
          and count(*) filter (where seq > end_seq and instr(movement, '"kind":"refund"') = 0) = 0
        then coalesce(string_agg(movement || occurred_at, ';') filter (where kind = 'credit_update'), '') else '?' end
      from (
        select e.seq, e.kind, e.occurred_at, e.in_place, e.movement, ends.end_seq
        from (
          select seq, kind, occurred_at, instr(payload, ${PLACE(words)}) = 1 and json_valid(payload) as in_place,
            substr(payload, instr(payload, '"livestream_id":'),
              instr(payload, ',"runs":') + 8 - instr(payload, '"livestream_id":')) as movement,
            case when kind = 'credit_update'
              then cast(substr(payload, instr(payload, ',"run_id":') + 10, 20) as integer) end as run_id
          from events as e where e.seller_id = a.seller_id order by seq limit -1 offset 0
        ) as e left join by_run as ends on ends.run_id = e.run_id)
      ) as told
    from credit_accounts as a)
  where coalesce(moved, '') is not coalesce(told, '')`

/**
 * For PostgreSQL: each movement becomes a number of 64 bits that depends on its seller and its place too, and they are added
 * up by the ledger and by the events. Where both agree, the nth update is the nth entry, so of a run that has ended the
 * ledger knows whether it moved after as many updates as were told before its end.
 */
export const looksPairedInOnePass = (words: Words) => sql`
  select told.odd + case when told.sum is distinct from moved.sum then 1 else 0 end as odd, moved.updates_after_end
  from (
    select count(*) filter (where in_place is not true or seq is distinct from place) as odd,
      sum(hashint8extended(movement, nth # seller)) as sum
    from (
      select *, row_number() over by_seq as place, count(movement) over by_seq as nth
      from (
        select ${SELLER} as seller, seq, payload is json and starts_with(payload, ${PLACE(words)}) as in_place,
          case when kind = 'credit_update' then hashtextextended('"livestream_id":'
            || split_part(split_part(payload, ',"runs":', 1), '"livestream_id":', 2) || ',"runs":', occurred_at) end
            as movement
        from events ${words.once}) as e
      window by_seq as (partition by seller order by seq rows unbounded preceding)) as e
  ) as told cross join (
    select sum(sum) as sum, count(*) filter (where newest > updates_before_end) as updates_after_end
    from (
      select seller_id, run_id, sum(hashint8extended(movement, nth # ${SELLER})) as sum,
        max(nth) filter (where kind is distinct from 'refund') as newest
      from (
        select seller_id, run_id, kind, coalesce(hashtextextended(${MOVEMENT}, occurred_at), 0) as movement,
          row_number() over (partition by seller_id order by id) as nth
        from ledger_entries) as e
      group by seller_id, run_id) as moved
    left join by_run as t on t.seller_id = moved.seller_id and t.run_id = moved.run_id
  ) as moved`
