import { sql } from 'kysely'
import type { Database } from '../../server/store/database.js'
import { isPostgres } from '../../server/store/dialect.js'

/** What must not be there, each as a query for the rows that break a rule. */
const FAULTS: { rule: string; of: string }[] = [
  {
    rule: 'B7: the balance is the sum of the entries, and not negative',
    of: `select seller_id, balance from credit_accounts as a where balance < 0 or
      balance <> (select coalesce(sum(amount), 0) from ledger_entries as e where e.seller_id = a.seller_id)`,
  },
  {
    rule: 'B7: each entry says the balance after it',
    of: `select * from (select id, balance_after, sum(amount) over (partition by seller_id order by id) as total
      from ledger_entries) as e where balance_after <> total`,
  },
  {
    rule: 'B5: an interval is deducted once',
    of: `select run_id, interval_index, count(*) as n from ledger_entries where kind = 'deduction'
      group by run_id, interval_index having count(*) > 1`,
  },
  {
    rule: 'B2: an interval is dated at its own beginning',
    of: `select e.id from ledger_entries as e join runs as r on r.id = e.run_id
      where kind = 'deduction' and occurred_at <> started_at + interval_index * interval_ms`,
  },
  {
    rule: 'B2, B12: every interval that began is deducted or waived, and no other',
    of: `with recursive begun (run_id, n, at) as (
        select id, cast(0 as bigint), started_at from runs
        union all select run_id, n + 1, at + interval_ms from begun join runs on runs.id = run_id
        where n + 1 < billed_intervals)
      select run_id, n from begun join runs as r on r.id = run_id where
        exists (select 1 from ledger_entries as e where e.run_id = r.id and interval_index = n and kind = 'deduction')
        = exists (select 1 from outages where at > began_at + auto_end_ms and at <= outages.ended_at)
      union all select run_id, interval_index from ledger_entries as e join runs as r on r.id = e.run_id
        where interval_index >= billed_intervals`,
  },
  {
    rule: 'B6: nothing is paid from the end on',
    of: `select e.id from ledger_entries as e join runs as r on r.id = e.run_id where kind = 'deduction' and
      (occurred_at > ended_at or (occurred_at = ended_at and end_reason in ('inactivity', 'credits_exhausted')))`,
  },
  {
    rule: 'B10: what a run consumed is its deductions less its refunds',
    of: `select id from runs left join
        (select run_id, -sum(amount) as consumed from ledger_entries where run_id is not null group by run_id) as e on run_id = id
      where credits_consumed <> coalesce(consumed, 0)`,
  },
  {
    rule: 'A2, E4: activity is within the run',
    of: 'select id from runs where last_activity_at < started_at or last_activity_at > ended_at',
  },
  {
    rule: 'V2: the sequence has no gaps',
    of: `select seller_id from credit_accounts as a where last_seq <> (select count(*) from events as e
      where e.seller_id = a.seller_id and seq between 1 and last_seq)`,
  },
  {
    rule: 'V1: the entries of a seller are its credit_updates, in the same order',
    of: `with entries as (select seller_id, row_number() over (partition by seller_id order by id) as n,
        kind, amount, balance_after, run_id, interval_index, occurred_at from ledger_entries),
      told as (select seller_id, row_number() over (partition by seller_id order by seq) as n, said ->> 'kind' as kind,
        cast(said ->> 'change' as bigint) as amount, cast(said ->> 'remaining_credits' as bigint) as balance_after,
        cast(said ->> 'run_id' as bigint) as run_id, cast(said ->> 'interval_index' as bigint) as interval_index, occurred_at
        from (select *, {payload} as said from events) as e where kind = 'credit_update')
      select * from (select * from entries except select * from told) as missing
      union all select * from (select * from told except select * from entries) as made_up`,
  },
  {
    rule: 'V1: every start and every end is told once',
    of: `select id from runs left join
        (select cast({payload} ->> 'run_id' as bigint) as run_id,
          count(*) filter (where kind = 'stream_started') as starts, count(*) filter (where kind = 'stream_ended') as ends
          from events where kind in ('stream_started', 'stream_ended') group by 1) as told on run_id = id
      where coalesce(starts, 0) <> 1 or coalesce(ends, 0) <> (case when ended_at is null then 0 else 1 end)`,
  },
]

/** What is wrong with the money, the runs and the events, a line each; empty where all is well. */
export async function faultsOfBooks({ db }: Pick<Database, 'db'>): Promise<string[]> {
  const faults: string[] = []
  for (const { rule, of } of FAULTS) {
    // SQLite takes a text for JSON, PostgreSQL wants to be told.
    const payload = isPostgres(db) ? 'cast(payload as json)' : 'payload'
    const { rows } = await sql.raw(of.replaceAll('{payload}', payload)).execute(db)
    if (rows.length > 0) faults.push(`${rule}: ${rows.length} times, such as ${JSON.stringify(rows[0])}`)
  }
  return faults
}
