import { sql } from 'kysely'
import { check, shown } from './check.js'

/** B7, B8, B10: refunds, and the keys that hold that nothing happens twice. */
export const CORRECTIONS = [
  check(
    'B7',
    'a refund, and nothing else, corrects an entry: an earlier deduction of the same seller',
    sql<{ id: number; seller_id: string; kind: string; corrects: number | null; corrected: string | null }>`
      select f.id, f.seller_id, f.kind, f.corrects,
        'a ' || d.kind || ' of seller ' || d.seller_id as corrected
      from ledger_entries as f left join ledger_entries as d on d.id = f.corrects
      where (f.kind = 'refund' and f.corrects is null) or (f.corrects is not null and (f.kind is distinct from 'refund'
        or d.kind is distinct from 'deduction' or d.seller_id is distinct from f.seller_id or d.id >= f.id))`,
    ({ id, seller_id, kind, corrects, corrected }) =>
      `entry ${id} of seller ${seller_id}, a ${kind}, corrects ` +
      (corrects === null ? 'nothing' : `entry ${corrects}, ${corrected ?? 'which does not exist'}`),
  ),

  check(
    'B8',
    'a key of a seller made one entry',
    sql<{ seller_id: string; idempotency_key: string; ids: string }>`
      select seller_id, idempotency_key, string_agg(cast(id as text), ',' order by id) as ids from ledger_entries
      where idempotency_key is not null group by seller_id, idempotency_key having count(*) > 1`,
    ({ seller_id, idempotency_key, ids }) => `seller ${seller_id}: the key ${idempotency_key} made entries ${ids}`,
  ),

  check(
    'B8',
    'an entry that a client asked for is what was asked for, so that a repeat is recognised',
    ({ json, once }) => sql<{ id: number; seller_id: string; kind: string; amount: number; request: string | null }>`
      select id, seller_id, kind, amount, request from (
        select *, ${json(sql`request`)} as asked from ledger_entries where substr(idempotency_key, 1, 7) = 'client:'
        ${once}) as entries
      where (asked ->> 'amount') is distinct from cast(amount as text) or (asked ->> 'reason') is distinct from reason
        or (asked ->> 'corrects') is distinct from cast(corrects as text)`,
    ({ id, seller_id, kind, amount, request }) =>
      `entry ${id} of seller ${seller_id} is a ${kind} of ${amount}, but its request was ${request}`,
  ),

  check(
    'B10',
    'a deduction is refunded once at most',
    sql<{ corrects: number; ids: string }>`
      select corrects, string_agg(cast(id as text), ',' order by id) as ids from ledger_entries
      where corrects is not null group by corrects having count(*) > 1`,
    ({ corrects, ids }) => `deduction ${corrects} is given back by entries ${ids}`,
  ),

  check(
    'B10',
    'a refund gives back what was deducted, for the same interval',
    sql<{ id: number; seller_id: string; amount: number; corrects: number; deducted: number }>`
      select f.id, f.seller_id, f.amount, f.corrects, d.amount as deducted
      from ledger_entries as f join ledger_entries as d on d.id = f.corrects
      where f.corrects is not null and (f.amount is distinct from -d.amount
        or f.run_id is distinct from d.run_id or f.interval_index is distinct from d.interval_index)`,
    ({ id, seller_id, amount, corrects, deducted }) =>
      `entry ${id} of seller ${seller_id} gives back ${amount} for entry ${corrects}, which took ${deducted}, ` +
      'or names another run or interval than that',
  ),

  check(
    'B10',
    'by itself the program gives back only the last interval, never interval 0, of a run that its seller ended in the grace',
    sql<{ id: number; seller_id: string; run_id: number; interval_index: number; occurred_at: number }>`
      select f.id, f.seller_id, f.run_id, f.interval_index, f.occurred_at
      from ledger_entries as f left join runs as r on r.id = f.run_id
      where substr(f.idempotency_key, 1, 8) = 'program:' and not coalesce(
        f.interval_index > 0 and f.interval_index = r.billed_intervals - 1
          and r.end_reason = 'seller' and f.occurred_at = r.ended_at
          and r.ended_at - (r.started_at + f.interval_index * r.interval_ms) < r.refund_grace_ms, false)`,
    ({ id, seller_id, run_id, interval_index, occurred_at }) =>
      `entry ${id} of seller ${seller_id} gives back interval ${interval_index} of run ${run_id} ` +
      `at ${shown(occurred_at)}, which was not due to be given back`,
  ),

  check(
    'B10',
    'the interval in whose grace the seller ended a run is given back',
    sql<{ id: number; seller_id: string; run_id: number; interval_index: number; ended_at: number }>`
      select d.id, d.seller_id, d.run_id, d.interval_index, r.ended_at
      from runs as r join ledger_entries as d
        on d.run_id = r.id and d.interval_index = r.billed_intervals - 1 and d.kind = 'deduction'
      where r.end_reason = 'seller' and d.interval_index > 0
        and r.ended_at - (r.started_at + d.interval_index * r.interval_ms) < r.refund_grace_ms
        and not exists (select 1 from ledger_entries as f where f.corrects = d.id)`,
    ({ id, seller_id, run_id, interval_index, ended_at }) =>
      `deduction ${id} of seller ${seller_id} is not given back, though run ${run_id} was ended ` +
      `at ${shown(ended_at)}, in the grace of its interval ${interval_index}`,
  ),

  check(
    'B10',
    'a live run knows the newest interval that was paid and is not given back',
    sql<{ id: number; seller_id: string; paid_interval: number | null; by_ledger: number | null }>`
      select * from (
        select id, seller_id, paid_interval, (
          select case when not exists (select 1 from ledger_entries as f where f.corrects = d.id)
            then d.interval_index end
          from ledger_entries as d where d.run_id = r.id and d.kind = 'deduction'
          order by d.interval_index desc limit 1) as by_ledger
        from runs as r where ended_at is null) as live
      where paid_interval is distinct from by_ledger`,
    ({ id, seller_id, paid_interval, by_ledger }) =>
      `live run ${id} of seller ${seller_id} has ${paid_interval ?? 'none'} for its newest paid interval, ` +
      `but by the ledger it is ${by_ledger ?? 'none'}`,
  ),
]
