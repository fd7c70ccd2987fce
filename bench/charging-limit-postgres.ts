import pg from 'pg'
import { DUE_RUNS, type DueRun, inBatches, type KnownRows, type Limit, type LimitForm } from './charging-limit.js'

const ITEMS = `item as (
    select * from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
      $8::bigint[], $9::bigint[], $10::text[])
      as item(id, livestream_id, seller_id, at, next_at, interval_index, consumed, balance, seq, payload))`

const inserted = (prefix: '' | 'raw_'): string => `entered as (
    insert into ${prefix}ledger_entries (seller_id, kind, amount, balance_after, livestream_id, run_id, interval_index,
      occurred_at, created_at)
    select seller_id, 'deduction', -1, balance, livestream_id, id, interval_index, at, at from item),
  told as (
    insert into ${prefix}events (seller_id, seq, kind, occurred_at, payload)
    select seller_id, seq, 'credit_update', at, payload from item)`

const BILLED = `update runs set billed_intervals = interval_index + 1, paid_interval = interval_index, due_at = next_at,
    credits_consumed = consumed from item where runs.id = item.id`

const STATEMENTS: Record<LimitForm, string> = {
  guarded: `with ${ITEMS}, ${inserted('')} ${BILLED}`,
  bare: `with ${ITEMS}, ${inserted('')},
    moved as (
      update credit_accounts as a set balance = item.balance, last_seq = item.seq from item where a.seller_id = item.seller_id)
    ${BILLED}`,
  insert: `with ${ITEMS}, ${inserted('raw_')} select 1`,
}

const GUARDED = ['credit_accounts', 'runs', 'ledger_entries', 'events']

/** Charges by one statement a batch, each a transaction. */
export async function postgresLimit(url: string): Promise<Limit> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  client.setTypeParser(pg.types.builtins.INT8, Number)

  async function triggers(word: 'enable' | 'disable'): Promise<void> {
    for (const table of GUARDED) await client.query(`alter table ${table} ${word} trigger user`)
  }

  return {
    async charge(form, count, now) {
      const { rows } = await client.query<DueRun>(`${DUE_RUNS} $1 order by r.due_at, r.id limit $2`, [now, count])
      const batches = inBatches(rows).map(parametersOf)
      if (form === 'bare') await triggers('disable')
      if (form === 'insert') await makeCopies(client)
      const began = performance.now()
      if (form === 'insert') await client.query('begin')
      for (const values of batches) await client.query({ name: form, text: STATEMENTS[form], values })
      if (form === 'insert') await client.query('commit')
      const took = performance.now() - began
      if (form === 'bare') await triggers('enable')
      return took
    },
    close: () => client.end(),
  }
}

function parametersOf(batch: readonly KnownRows[]): unknown[] {
  return [
    batch.map(({ id }) => id),
    batch.map(({ livestreamId }) => livestreamId),
    batch.map(({ sellerId }) => sellerId),
    batch.map(({ at }) => at),
    batch.map(({ nextAt }) => nextAt),
    batch.map(({ interval }) => interval),
    batch.map(({ consumed }) => consumed),
    batch.map(({ balance }) => balance),
    batch.map(({ seq }) => seq),
    batch.map(({ payload }) => payload),
  ]
}

/** Empty copies of the two tables, with their keys and indexes. */
async function makeCopies(client: pg.Client): Promise<void> {
  for (const table of ['ledger_entries', 'events']) {
    await client.query(`drop table if exists raw_${table}`)
    await client.query(`create table raw_${table} (like ${table} including all)`)
  }
}
