import { sql } from 'kysely'
import type { Db } from '../server/store/database.js'
import { type Cell, type Columns, rowsOf } from '../server/store/dialect.js'
import type { KeptSqlite } from '../server/store/kept-sqlite.js'

const ROWS_AT_ONCE = 5_000

/** Tables in the order in which they refer to one another, each with the columns that hold no number. */
const TABLES: Record<string, readonly string[]> = {
  credit_accounts: ['seller_id'],
  livestreams: ['id', 'seller_id', 'title'],
  runs: ['livestream_id', 'seller_id', 'end_reason'],
  ledger_entries: ['seller_id', 'kind', 'livestream_id', 'idempotency_key', 'request', 'reason'],
  events: ['seller_id', 'kind', 'payload'],
  stamps: ['server_id'],
  outages: [],
}

/** Copies all rows of SQLite into an empty PostgreSQL as they are, past its triggers, which held on the way in. */
export async function copyTables(from: KeptSqlite, to: Db): Promise<void> {
  await to.transaction().execute(async (tx) => {
    await sql`set local session_replication_role = replica`.execute(tx)
    await sql`set local statement_timeout = 0`.execute(tx)
    for (const [table, texts] of Object.entries(TABLES)) await copyTable(from, tx, table, texts)
    await sql`select setval('runs_id_seq', max(id)) from runs`.execute(tx)
    await sql`select setval('ledger_entries_id_seq', max(id)) from ledger_entries`.execute(tx)
  })
  await sql`vacuum analyze`.execute(to)
}

async function copyTable(from: KeptSqlite, to: Db, table: string, texts: readonly string[]): Promise<void> {
  const all = from.prepare<[], unknown[]>(`select * from ${table}`).raw(true)
  const names = all.columns().map(({ name }) => name)
  const columns: Columns = Object.fromEntries(names.map((name) => [name, texts.includes(name) ? 'text' : 'bigint']))
  const refs = sql.join(names.map((name) => sql.ref(name)))
  const insert = (rows: Cell[][]) =>
    sql`insert into ${sql.table(table)} (${refs}) select ${refs} from ${rowsOf(to, columns, rows)}`.execute(to)
  let rows: Cell[][] = []
  for (const row of all.iterate() as IterableIterator<Cell[]>) {
    rows.push(row)
    if (rows.length < ROWS_AT_ONCE) continue
    await insert(rows)
    rows = []
  }
  if (rows.length > 0) await insert(rows)
}
