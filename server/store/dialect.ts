import { type AliasedRawBuilder, PostgresAdapter, type RawBuilder, sql } from 'kysely'
import type { Db } from './database.js'

// What SQLite and PostgreSQL say differently. Whatever both understand is written once, where it is used.

export function isPostgres(db: Pick<Db, 'getExecutor'>): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter
}

/** The later of two instants, of a row say. */
export function later(db: Db, one: RawBuilder<unknown>, other: RawBuilder<unknown>): RawBuilder<number> {
  return isPostgres(db) ? sql`greatest(${one}, ${other})` : sql`max(${one}, ${other})`
}

/** Whether a text is one of these: one parameter, whatever their number. */
export function isOneOf(db: Db, text: RawBuilder<unknown>, values: Iterable<string>): RawBuilder<boolean> {
  const all = [...values]
  if (isPostgres(db)) return sql`${text} = any(${all}::text[])`
  return sql`${text} in (select value from json_each(${JSON.stringify(all)}))`
}

export type Cell = string | number | null

/** The columns of rows that are handed to the database, in their order. */
export type Columns = Readonly<Record<string, 'text' | 'bigint'>>

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
  const arrays = names.map((name, i) => sql`${rows.map((row) => row[i])}::${sql.raw(columns[name] ?? '')}[]`)
  const refs = sql.join([...names, 'position'].map((name) => sql.ref(name)))
  return sql`unnest(${sql.join(arrays)}) with ordinality`.as<'item'>(sql`item(${refs})`)
}
