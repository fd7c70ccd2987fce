import { type AliasedRawBuilder, CompiledQuery, PostgresAdapter, type RawBuilder, sql } from 'kysely'
import type { Db } from './database.js'
import { TransactionalSqliteAdapter } from './sqlite-dialect.js'

// What SQLite and PostgreSQL say differently. Whatever both understand is written once, where it is used.

export function isPostgres(db: Pick<Db, 'getExecutor'>): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter
}

/** Whether statements are run in this process, which does nothing else meanwhile. */
export function holdsEventLoop(db: Pick<Db, 'getExecutor'>): boolean {
  return !isPostgres(db)
}

/**
 * Whether commits may hold the event loop longer, and less often: on SQLite, where checkpoints of the write-ahead log do. A page that
 * several commits changed is then copied into the file once.
 */
export function checkpointSeldom(db: Pick<Db, 'getExecutor'>, seldom: boolean): void {
  const { adapter } = db.getExecutor()
  if (adapter instanceof TransactionalSqliteAdapter) adapter.disk.checkpointSeldom(seldom)
}

/** The later of two instants, of a row say. */
export function later(db: Db, one: RawBuilder<unknown>, other: RawBuilder<unknown>): RawBuilder<number> {
  return isPostgres(db) ? sql`greatest(${one}, ${other})` : sql`max(${one}, ${other})`
}

/** Whether a text is one of these: one parameter, whatever their number. One alone is compared with, which costs least. */
export function isOneOf(db: Db, text: RawBuilder<unknown>, values: Iterable<string>): RawBuilder<boolean> {
  const all = [...values]
  if (all.length === 1) return sql`${text} = ${all[0]}`
  if (isPostgres(db)) return sql`${text} = any(${all}::text[])`
  return sql`${text} in (select value from json_each(${JSON.stringify(all)}))`
}

export type Cell = string | number | null

/** A statement that reads: its rows, for the values of its parameters in their order. */
export type Reading<Row> = (db: Db, values: readonly Cell[]) => Promise<readonly Row[]>

/**
 * A statement of which only the parameters ever differ: its text is put together once for each database, and on SQLite it is read at
 * once where nobody has the connection. On the way through Kysely that is half of a read by a key.
 * @param statement with null for each of its parameters
 */
export function reading<Row>(statement: RawBuilder<Row>): Reading<Row> {
  const texts = new WeakMap<object, string>()
  return async (db, values) => {
    const { adapter } = db.getExecutor()
    let text = texts.get(adapter)
    if (text === undefined) {
      text = statement.compile(db).sql
      texts.set(adapter, text)
    }
    const atOnce = adapter instanceof TransactionalSqliteAdapter ? adapter.readAtOnce(text, values) : null
    return (atOnce as Row[] | null) ?? (await db.executeQuery<Row>(CompiledQuery.raw(text, [...values]))).rows
  }
}

/** The columns of rows that are handed to the database, in their order: of a `change`, by how much a whole number moves. */
export type Columns = Readonly<Record<string, 'text' | 'bigint' | 'change'>>

/** Rows as a table of these columns and of `position`, in their order from 0 or 1 on: as few parameters as there can be. */
export function rowsOf(
  db: Db,
  columns: Columns,
  rows: readonly (readonly Cell[])[],
): AliasedRawBuilder<unknown, 'item'> {
  const names = Object.keys(columns)
  if (!isPostgres(db)) {
    const cells = names.map((name, i) => sql`value ->> ${sql.lit(i)} as ${sql.ref(name)}`)
    return sql`(select key as position, ${sql.join(cells)} from json_each(${JSON.stringify(rows)}))`.as<'item'>(
      sql`item`,
    )
  }
  const arrays = names.map(
    (name, i) => sql`${rows.map((row) => row[i])}::${sql.raw(columns[name] === 'text' ? 'text' : 'bigint')}[]`,
  )
  const refs = sql.join([...names, 'position'].map((name) => sql.ref(name)))
  return sql`unnest(${sql.join(arrays)}) with ordinality`.as<'item'>(sql`item(${refs})`)
}

// Rows by the hundred are written by one statement on PostgreSQL. On SQLite, where nothing is sent anywhere, by statements that are
// prepared once, for a few rows or one: there, rows that are handed over as one JSON text cost twice as much.

/** Inserts rows of these columns in their order, within a transaction. */
export async function insertRows(db: Db, table: string, columns: Columns, rows: readonly Cell[][]): Promise<void> {
  if (rows.length === 0) return
  const names = sql.join(Object.keys(columns).map((name) => sql.ref(name)))
  const into = sql`insert into ${sql.table(table)} (${names})`
  const { adapter } = db.getExecutor()
  if (adapter instanceof TransactionalSqliteAdapter) {
    adapter.insert(into.compile(db).sql, rows)
    return
  }
  await sql`${into} select ${names} from ${rowsOf(db, columns, rows)} order by position`.execute(db)
}

/**
 * Updates the rows with these ids, the last of the columns, within a transaction that holds them. Only what can change
 * belongs before it: SQLite looks at every index whose columns or condition are named, whether they change or not.
 */
export async function updateRows(db: Db, table: string, columns: Columns, rows: readonly Cell[][]): Promise<void> {
  if (rows.length === 0) return
  const changing = Object.keys(columns)
  const id = changing.pop() ?? ''
  const { adapter } = db.getExecutor()
  if (adapter instanceof TransactionalSqliteAdapter) {
    const set = changing.map((name) => (columns[name] === 'change' ? `${name} = ${name} + ?` : `${name} = ?`))
    adapter.forEach(`update ${table} set ${set} where ${id} = ?`, rows)
    return
  }
  const set = changing.map((name) => {
    const before = columns[name] === 'change' ? sql`${sql.ref(`${table}.${name}`)} +` : sql``
    return sql`${sql.ref(name)} = ${before} item.${sql.ref(name)}`
  })
  await sql`
    update ${sql.table(table)} set ${sql.join(set)} from ${rowsOf(db, columns, rows)}
    where ${sql.ref(`${table}.${id}`)} = item.${sql.ref(id)}`.execute(db)
}
