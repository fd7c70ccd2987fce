import { sql } from 'kysely'
import { LARGEST_BALANCE } from '../../domain/ledger.js'
import { check, shown } from './check.js'

/** B1, B3, B4, B7: credits are whole, balances are never negative, and each is what its entries come to. */
export const MONEY = [
  check(
    'B1',
    'credits are whole numbers that are exact',
    sql<{ place: string; credits: string }>`
      select 'the account of seller ' || seller_id as place, balance as credits from credit_accounts
        where typeof(balance) <> 'integer' or balance > ${LARGEST_BALANCE}
      union all
      select 'entry ' || id || ' of seller ' || seller_id, amount || ' with balance ' || balance_after
        from ledger_entries where typeof(amount) <> 'integer' or typeof(balance_after) <> 'integer'
      union all
      select 'the consumption of run ' || id, credits_consumed from runs where typeof(credits_consumed) <> 'integer'`,
    ({ place, credits }) => `${place} holds ${credits}, which is no whole number or past the largest exact one`,
  ),

  check(
    'B1',
    'an interval costs one credit',
    sql<{ id: number; seller_id: string; run_id: number; interval_index: number; amount: number }>`
      select id, seller_id, run_id, interval_index, amount from ledger_entries
      where kind = 'deduction' and amount is not -1`,
    ({ id, seller_id, run_id, interval_index, amount }) =>
      `entry ${id} of seller ${seller_id} deducts ${amount} for interval ${interval_index} of run ${run_id}, not -1`,
  ),

  check(
    'B3',
    'a balance is never negative',
    sql<{ place: string; balance: number }>`
      select 'the account of seller ' || seller_id as place, balance from credit_accounts where balance < 0
      union all
      select 'entry ' || id || ' of seller ' || seller_id, balance_after from ledger_entries where balance_after < 0`,
    ({ place, balance }) => `${place} has the balance ${balance}`,
  ),

  // With the next one: the balance is the sum of the entries, and where it is not, this is the entry to look at.
  check(
    'B7',
    'an entry starts from the balance that the one before it left',
    sql<{ id: number; seller_id: string; amount: number; balance_after: number; balance_before: number }>`
      select * from (
        select id, seller_id, amount, balance_after,
          lag(balance_after, 1, 0) over (partition by seller_id order by id) as balance_before from ledger_entries)
      where balance_after is not balance_before + amount`,
    ({ id, seller_id, amount, balance_after, balance_before }) =>
      `entry ${id} of seller ${seller_id} moves ${balance_before} by ${amount} and leaves ${balance_after}`,
  ),

  check(
    'B7',
    'the balance of an account is what its newest entry left',
    sql<{ seller_id: string; balance: number; left_by_entries: number }>`
      select * from (
        select seller_id, balance, coalesce((select balance_after from ledger_entries as e
          where e.seller_id = a.seller_id order by id desc limit 1), 0) as left_by_entries
        from credit_accounts as a)
      where balance is not left_by_entries`,
    ({ seller_id, balance, left_by_entries }) =>
      `the account of seller ${seller_id} holds ${balance}, but its entries come to ${left_by_entries}`,
  ),

  check(
    'B10',
    'a run has consumed its deductions less its refunds',
    // Refunds are reached by what they correct, since that has an index; that their run fits is held by B10.
    sql<{ id: number; seller_id: string; credits_consumed: number; by_ledger: number }>`
      select * from (
        select id, seller_id, credits_consumed,
          (select count(*) from ledger_entries as d where d.run_id = r.id and d.kind = 'deduction')
          - (select count(*) from ledger_entries as d join ledger_entries as f on f.corrects = d.id
              where d.run_id = r.id and d.kind = 'deduction') as by_ledger
        from runs as r)
      where credits_consumed is not by_ledger`,
    ({ id, seller_id, credits_consumed, by_ledger }) =>
      `run ${id} of seller ${seller_id} has consumed ${credits_consumed}, but its entries come to ${by_ledger}`,
  ),

  check(
    'B7',
    'a grant adds and an adjustment takes, neither for an interval, and there is no other kind',
    sql<{ id: number; seller_id: string; kind: string; amount: number; run_id: number | null }>`
      select id, seller_id, kind, amount, run_id from ledger_entries
      where not coalesce(case kind
        when 'grant' then amount > 0 and run_id is null and interval_index is null
        when 'adjustment' then amount < 0 and run_id is null and interval_index is null
        else kind in ('deduction', 'refund') end, false)`,
    ({ id, seller_id, kind, amount, run_id }) =>
      `entry ${id} of seller ${seller_id} is a ${kind} of ${amount}${run_id === null ? '' : ` for run ${run_id}`}`,
  ),

  check(
    'B4',
    'the entries of a seller are in time order, and at one instant in the order of the runs',
    sql<{ id: number; seller_id: string; occurred_at: number; id_before: number; occurred_before: number }>`
      select * from (
        select id, seller_id, kind, run_id, occurred_at, lag(id) over by_id as id_before,
          lag(occurred_at) over by_id as occurred_before, lag(kind) over by_id as kind_before,
          lag(run_id) over by_id as run_before
        from ledger_entries window by_id as (partition by seller_id order by id))
      where occurred_at < occurred_before or (occurred_at = occurred_before and run_id < run_before
        and kind = 'deduction' and kind_before = 'deduction')`,
    ({ id, seller_id, occurred_at, id_before, occurred_before }) =>
      `entry ${id} of seller ${seller_id}, of ${shown(occurred_at)}, comes after entry ${id_before}, ` +
      `of ${shown(occurred_before)}`,
  ),

  check(
    'B2',
    'an entry is written when it takes effect, or later',
    sql<{ id: number; seller_id: string; kind: string; occurred_at: number; created_at: number }>`
      select id, seller_id, kind, occurred_at, created_at from ledger_entries
      where not coalesce(created_at >= occurred_at, false)`,
    ({ id, seller_id, kind, occurred_at, created_at }) =>
      `entry ${id} of seller ${seller_id}, a ${kind} of ${shown(occurred_at)}, was written at ${shown(created_at)} already`,
  ),
]
