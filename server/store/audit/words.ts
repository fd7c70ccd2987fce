import { type RawBuilder, sql } from 'kysely'
import type { Db } from '../database.js'
import { isPostgres } from '../dialect.js'

/** What a check says differently to SQLite and to PostgreSQL; whatever both understand is written once, where it is used. */
export interface Words {
  readonly isPostgres: boolean
  /** The smaller of two numbers that are both there. */
  least(one: Part, other: Part): Part
  greatest(one: Part, other: Part): Part
  /** The object that a text holds, for `->>`; one without fields where it is no JSON, so that damage is told and not fallen over. */
  json(text: Part): Part
  /** A field of such an object as a whole number; null where it is none. */
  wholeNumber(field: Part): Part
  /** An instant as it stands in a payload. */
  timestamp(instant: Part): Part
  /** At the end of a subquery: its columns are worked out once, however often they are used. */
  readonly once: Part
}

export type Part = RawBuilder<unknown>

const SQLITE: Words = {
  isPostgres: false,
  least: (one, other) => sql`min(${one}, ${other})`,
  greatest: (one, other) => sql`max(${one}, ${other})`,
  json: (text) => sql`case when json_valid(${text}) then ${text} else 'null' end`,
  wholeNumber: (field) => sql`cast(${field} as integer)`,
  timestamp: (instant) => sql`strftime('%Y-%m-%dT%H:%M:%fZ', ${instant} / 1000.0, 'unixepoch')`,
  once: sql`limit -1 offset 0`,
}

const POSTGRES: Words = {
  isPostgres: true,
  least: (one, other) => sql`least(${one}, ${other})`,
  greatest: (one, other) => sql`greatest(${one}, ${other})`,
  json: (text) => sql`case when ${text} is json object then cast(${text} as jsonb) end`,
  wholeNumber: (field) => sql`case when pg_input_is_valid(${field}, 'bigint') then cast(${field} as bigint) end`,
  timestamp: (instant) =>
    sql`to_char(timestamp 'epoch' + ${instant} * interval '1 ms', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
  once: sql`offset 0`,
}

export const wordsOf = (db: Pick<Db, 'getExecutor'>): Words => (isPostgres(db) ? POSTGRES : SQLITE)
