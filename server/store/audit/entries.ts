import { sql } from 'kysely'
import { LARGEST_BALANCE } from '../../domain/ledger.js'
import { scan, shown } from './check.js'

interface Deduction {
  id: number
  seller_id: string
  run_id: number
  interval_index: number
  occurred_at: number
}

const named = ({ id, seller_id, run_id, interval_index }: Deduction) =>
  `deduction ${id} of seller ${seller_id} is for interval ${interval_index} of run ${run_id}`

interface Ended extends Deduction {
  ended_at: number
  end_reason: string
}

const paidLate = ({ id, seller_id, run_id, ended_at, end_reason, occurred_at }: Ended) =>
  `run ${run_id} of seller ${seller_id} ended at ${shown(ended_at)} by ${end_reason}, ` +
  `but deduction ${id} of it is of ${shown(occurred_at)}`

/** B1 to B8, E1, E4: each entry of the ledger beside the run that it is for. */
export const ENTRIES = scan(
  sql`select e.*, r.livestream_id || ' of seller ' || r.seller_id as owner, r.seller_id as run_seller_id,
      r.livestream_id as run_livestream_id, r.started_at + e.interval_index * r.interval_ms as begins_at,
      r.billed_intervals, r.auto_end_ms, r.ended_at, r.end_reason, r.id as found_run_id, a.seller_id as found_seller_id,
      l.id as found_livestream_id, (select max(at) from stamps) as newest_stamp
    from ledger_entries as e left join runs as r on r.id = e.run_id
      left join credit_accounts as a on a.seller_id = e.seller_id left join livestreams as l on l.id = e.livestream_id`,
  [
    {
      rule: 'B1',
      promise: 'the credits of an entry are whole numbers that are exact',
      where: ({ isPostgres }) =>
        isPostgres
          ? sql`balance_after > ${sql.lit(LARGEST_BALANCE)} or abs(amount) > ${sql.lit(LARGEST_BALANCE)}`
          : sql`typeof(amount) <> 'integer' or typeof(balance_after) <> 'integer'`,
      text: ({ id, seller_id, amount, balance_after }) =>
        `entry ${id} of seller ${seller_id} holds ${amount} with balance ${balance_after}, ` +
        'which is no whole number or past the largest exact one',
    },
    {
      rule: 'E5',
      promise: 'what an entry names exists',
      where: sql`found_seller_id is null or (run_id is not null and found_run_id is null)
        or (livestream_id is not null and found_livestream_id is null)`,
      text: ({ id, seller_id, run_id, livestream_id, found_seller_id, found_run_id, found_livestream_id }) => {
        const missing = [
          ...(found_seller_id === null ? [`the account of seller ${seller_id}`] : []),
          ...(run_id !== null && found_run_id === null ? [`run ${run_id}`] : []),
          ...(livestream_id !== null && found_livestream_id === null ? [`livestream ${livestream_id}`] : []),
        ]
        return `entry ${id} names ${missing.join(' and ')}, which does not exist`
      },
    },
    {
      rule: 'B1',
      promise: 'an interval costs one credit',
      where: sql`kind = 'deduction' and amount is distinct from -1`,
      text: ({ id, seller_id, run_id, interval_index, amount }) =>
        `entry ${id} of seller ${seller_id} deducts ${amount} for interval ${interval_index} of run ${run_id}, not -1`,
    },
    {
      rule: 'B3',
      promise: 'an entry leaves no negative balance',
      where: sql`balance_after < 0`,
      text: ({ id, seller_id, balance_after }) => `entry ${id} of seller ${seller_id} has the balance ${balance_after}`,
    },
    {
      rule: 'B7',
      promise: 'a grant adds and an adjustment takes, neither for an interval, and there is no other kind',
      where: sql`not coalesce(case kind
        when 'grant' then amount > 0 and run_id is null and interval_index is null
        when 'adjustment' then amount < 0 and run_id is null and interval_index is null
        else kind in ('deduction', 'refund') end, false)`,
      text: ({ id, seller_id, kind, amount, run_id }) =>
        `entry ${id} of seller ${seller_id} is a ${kind} of ${amount}${run_id === null ? '' : ` for run ${run_id}`}`,
    },
    {
      rule: 'B2',
      promise: 'an entry is written when it takes effect, or later',
      where: sql`not coalesce(created_at >= occurred_at, false)`,
      text: ({ id, seller_id, kind, occurred_at, created_at }) =>
        `entry ${id} of seller ${seller_id}, a ${kind} of ${shown(occurred_at)}, was written at ${shown(created_at)} already`,
    },
    {
      rule: 'B8',
      promise: 'grants, adjustments and refunds carry a key, of a client or of the program itself, and deductions none',
      where: sql`not case
        when kind = 'deduction' then idempotency_key is null
        when idempotency_key is null then false
        when kind = 'refund' and idempotency_key = 'program:refund:' || run_id || ':' || interval_index then true
        else substr(idempotency_key, 1, 7) = 'client:' end`,
      text: ({ id, seller_id, kind, idempotency_key }) =>
        `entry ${id} of seller ${seller_id}, a ${kind}, has ${idempotency_key === null ? 'no key' : `the key ${idempotency_key}`}`,
    },
    {
      rule: 'E1',
      promise: 'an entry for a run is of the seller and the livestream of that run',
      where: sql`found_run_id is not null
        and (seller_id is distinct from run_seller_id or livestream_id is distinct from run_livestream_id)`,
      text: ({ id, seller_id, livestream_id, run_id, owner }) =>
        `entry ${id} is of livestream ${livestream_id} of seller ${seller_id}, but run ${run_id} is of livestream ${owner}`,
    },
    {
      rule: 'B2',
      promise: 'an interval is deducted when it begins',
      where: sql`kind = 'deduction' and found_run_id is not null and occurred_at is distinct from begins_at`,
      text: (row) => `${named(row)}, which begins at ${shown(row.begins_at)}, but is dated ${shown(row.occurred_at)}`,
    },
    {
      rule: 'B2',
      promise: 'only intervals that began are deducted',
      where: sql`kind = 'deduction' and found_run_id is not null
        and not coalesce(interval_index between 0 and billed_intervals - 1, false)`,
      text: (row) => `${named(row)}, of which ${row.billed_intervals} intervals have begun`,
    },
    {
      rule: 'B6',
      promise: 'a run pays for no interval that begins at or after its deadline',
      where: sql`kind = 'deduction' and end_reason in ('inactivity', 'credits_exhausted') and occurred_at >= ended_at`,
      text: paidLate,
    },
    {
      rule: 'E4',
      promise: 'nothing is deducted after an end',
      where: sql`kind = 'deduction' and end_reason in ('seller', 'operator') and occurred_at > ended_at`,
      text: paidLate,
    },
    {
      rule: 'B12',
      promise: 'an interval that an open outage may waive is not deducted',
      where: sql`kind = 'deduction' and interval_index > 0 and occurred_at > newest_stamp + auto_end_ms`,
      text: (row) =>
        `${named(row)}, which begins at ${shown(row.occurred_at)}, in the outage from ${shown(row.newest_stamp)} on, ` +
        'which is open',
    },
  ],
)

/** B4, B7: each entry beside the one before it. */
export const ENTRIES_IN_ORDER = scan(
  // SQLite finds the one before in an index sooner than it keeps so many columns of it.
  ({ isPostgres }) =>
    isPostgres
      ? sql`select id, seller_id, amount, balance_after, occurred_at, run_id, kind,
          coalesce(lag(balance_after) over by_id, 0) as balance_before, lag(id) over by_id as id_before,
          lag(occurred_at) over by_id as occurred_before,
          lag(case when kind = 'deduction' then run_id end) over by_id as paid_before
        from ledger_entries window by_id as (partition by seller_id order by id)`
      : sql`select e.id, e.seller_id, e.amount, e.balance_after, e.occurred_at, e.run_id, e.kind,
          coalesce(b.balance_after, 0) as balance_before, b.id as id_before, b.occurred_at as occurred_before,
          case when b.kind = 'deduction' then b.run_id end as paid_before
        from ledger_entries as e left join ledger_entries as b on b.id = (
          select max(id) from ledger_entries as b where b.seller_id = e.seller_id and b.id < e.id)`,
  [
    // With the balance of the account: it is the sum of the entries, and where it is not, this is the entry to look at.
    {
      rule: 'B7',
      promise: 'an entry starts from the balance that the one before it left',
      where: sql`balance_after is distinct from balance_before + amount`,
      text: ({ id, seller_id, amount, balance_after, balance_before }) =>
        `entry ${id} of seller ${seller_id} moves ${balance_before} by ${amount} and leaves ${balance_after}`,
    },
    {
      rule: 'B4',
      promise: 'the entries of a seller are in time order, and at one instant in the order of the runs',
      where: sql`occurred_at < occurred_before
        or (occurred_at = occurred_before and run_id < paid_before and kind = 'deduction')`,
      text: ({ id, seller_id, occurred_at, id_before, occurred_before }) =>
        `entry ${id} of seller ${seller_id}, of ${shown(occurred_at)}, comes after entry ${id_before}, ` +
        `of ${shown(occurred_before)}`,
    },
  ],
)
