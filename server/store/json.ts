import { type RawBuilder, sql } from 'kysely'

/** The values as a table of one column `value` with `key` in their order: one parameter, whatever their number. */
export function eachOf(values: Iterable<unknown>): RawBuilder<unknown> {
  return sql`json_each(${JSON.stringify([...values])})`
}
