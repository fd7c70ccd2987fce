import { sql } from 'kysely'
import { LARGEST_BALANCE } from '../../domain/ledger.js'
import { check } from './check.js'

/** B1, B3, B7, B10: balances and consumptions are whole, never negative, and what the entries come to (entries.ts). */
export const MONEY = [
  check(
    'B1',
    'balances and consumptions are whole numbers that are exact',
    ({ isPostgres }) => {
      const wrong = (column: string) =>
        isPostgres
          ? sql`${sql.ref(column)} > ${sql.lit(LARGEST_BALANCE)}`
          : sql`typeof(${sql.ref(column)}) <> 'integer' or ${sql.ref(column)} > ${sql.lit(LARGEST_BALANCE)}`
      return sql<{ place: string; credits: string }>`
        select 'the account of seller ' || seller_id as place, cast(balance as text) as credits from credit_accounts
          where ${wrong('balance')}
        union all
        select 'the consumption of run ' || id, cast(credits_consumed as text) from runs
          where ${wrong('credits_consumed')}`
    },
    ({ place, credits }) => `${place} holds ${credits}, which is no whole number or past the largest exact one`,
  ),

  check(
    'B3',
    'the balance of an account is never negative',
    sql<{ seller_id: string; balance: number }>`select seller_id, balance from credit_accounts where balance < 0`,
    ({ seller_id, balance }) => `the account of seller ${seller_id} has the balance ${balance}`,
  ),

  check(
    'B7',
    'the balance of an account is what its newest entry left',
    sql<{ seller_id: string; balance: number; left_by_entries: number }>`
      select * from (
        select seller_id, balance, coalesce((select balance_after from ledger_entries as e
          where e.seller_id = a.seller_id order by id desc limit 1), 0) as left_by_entries
        from credit_accounts as a) as accounts
      where balance is distinct from left_by_entries`,
    ({ seller_id, balance, left_by_entries }) =>
      `the account of seller ${seller_id} holds ${balance}, but its entries come to ${left_by_entries}`,
  ),

  check(
    'B10',
    'a run has consumed its deductions less its refunds',
    // Refunds are counted by what they correct; that their run fits is held by B10.
    sql<{ id: number; seller_id: string; credits_consumed: number; by_ledger: number }>`
      select * from (
        select id, seller_id, credits_consumed, coalesce(deductions, 0) - coalesce(refunds, 0) as by_ledger
        from runs as r
          left join (select run_id, count(*) as deductions from ledger_entries where kind = 'deduction' group by run_id)
            as d on d.run_id = r.id
          left join (select d.run_id, count(*) as refunds
            from ledger_entries as f join ledger_entries as d on d.id = f.corrects
            where f.corrects is not null and d.kind = 'deduction' group by d.run_id) as f on f.run_id = r.id) as consumed
      where credits_consumed is distinct from by_ledger`,
    ({ id, seller_id, credits_consumed, by_ledger }) =>
      `run ${id} of seller ${seller_id} has consumed ${credits_consumed}, but its entries come to ${by_ledger}`,
  ),
]
