import { type RawBuilder, sql } from 'kysely'
import { LAST_INSTANT, toTimestamp } from '../../domain/instant.js'
import type { Db } from '../database.js'
import { isPostgres } from '../dialect.js'
import { doPart } from '../transact.js'
import { type Part, type Words, wordsOf } from './words.js'

export interface Breach {
  /** The rule of SPEC.md that is broken. */
  readonly rule: string
  readonly text: string
}

/** One thing that a rule promises of the data, and how to find where it does not hold. */
export interface Check {
  readonly rule: string
  /** What holds where nothing is found. */
  readonly promise: string
  /** The breaches, at most `MOST_SHOWN` of them and then how many more there are. */
  find(tx: Db): Promise<Breach[]>
}

/** How many breaches of one check are told one by one. */
export const MOST_SHOWN = 20

/** A query, or how it is worded for the database at hand. */
export type Query<Row> = RawBuilder<Row> | ((words: Words) => RawBuilder<Row>)

export const worded = <Row>(query: Query<Row>, db: Db): RawBuilder<Row> =>
  typeof query === 'function' ? query(wordsOf(db)) : query

/**
 * @param breaches selects the breaches and nothing else, so that the tables stay in the database however large they are.
 *   It trusts no constraint: a column can hold anything, null too, which is why it compares by `is distinct from`
 * @param text tells a breach in plain words, with the ids and numbers that one needs to find it
 */
export function check<Row>(rule: string, promise: string, breaches: Query<Row>, text: (row: Row) => string): Check {
  return {
    rule,
    promise,
    async find(tx) {
      const found = await unlessUnseen(tx, () => findBreaches(tx, worded(breaches, tx)))
      if (!('unseen' in found)) return found
      // Damaged data can be such that the database refuses to look at it; the other checks go on.
      return [{ rule, text: `whether this holds cannot be seen: ${promise} (${String(found.unseen)})` }]
    },
  }

  async function findBreaches(tx: Db, query: RawBuilder<Row>): Promise<Breach[]> {
    // Most of the time there is none, so PostgreSQL must not plan for finding the first ones soon.
    const asAWhole = isPostgres(tx) ? sql`materialized` : sql``
    const { rows } = await sql<Row>`
      with breach as ${asAWhole} (${query}) select * from breach limit ${sql.lit(MOST_SHOWN + 1)}`.execute(tx)
    const told = rows.slice(0, MOST_SHOWN).map((row) => ({ rule, text: text(row) }))
    if (rows.length <= MOST_SHOWN) return told
    const counted = await sql<{ found: number }>`select count(*) as found from (${query}) as breach`.execute(tx)
    const more = (counted.rows[0]?.found ?? rows.length) - MOST_SHOWN
    return [...told, { rule, text: `and ${more} more where this does not hold: ${promise}` }]
  }
}

/** Looks, or tells why the database refuses to. */
export async function unlessUnseen<T extends object>(tx: Db, look: () => Promise<T>): Promise<T | { unseen: unknown }> {
  try {
    return await doPart(tx, look)
  } catch (unseen) {
    return { unseen }
  }
}

/** A check of single rows that others share. */
export interface RowCheck {
  readonly rule: string
  readonly promise: string
  /** Of a row that breaks it. */
  readonly where: Query<unknown>
  // biome-ignore lint/suspicious/noExplicitAny: each check names the columns that it tells of
  readonly text: (row: any) => string
}

/** Checks that are looked at together first, since most of the time there is nothing to find. */
export interface Scan {
  readonly checks: readonly Check[]
  /** One row: of each check whether it may have something to find, in the order of the checks. */
  readonly suspicions: Query<Record<string, number>>
}

/** Checks of the same rows, which are all read in one pass. */
export function scan(rows: Query<unknown>, checks: readonly RowCheck[]): Scan {
  return {
    checks: checks.map(({ rule, promise, where, text }) =>
      check(rule, promise, (words) => sql`select * from (${ask(rows, words)}) as r where ${ask(where, words)}`, text),
    ),
    suspicions: (words) => sql`select ${suspicionsOf(checks, words)} from (${ask(rows, words)}) as r`,
  }
}

/** Of rows that are named `r`, how many each check would find, in columns that are numbered from `first` on. */
export const suspicionsOf = (checks: readonly RowCheck[], words: Words, first = 0): Part =>
  sql.join(
    checks.map(({ where }, i) => sql`count(*) filter (where ${ask(where, words)}) as ${sql.ref(`${first + i}`)}`),
  )

function ask(part: Query<unknown>, words: Words): Part {
  return typeof part === 'function' ? part(words) : part
}

/** What the checks of a scan find: all of them are asked at once, and only those that may find something look for it. */
export async function findInScan(tx: Db, { checks, suspicions }: Scan): Promise<Breach[]> {
  const looked = await unlessUnseen(tx, async () => (await worded(suspicions, tx).execute(tx)).rows)
  const suspected = 'unseen' in looked ? undefined : looked[0]
  const breaches: Breach[] = []
  for (const [i, { find }] of checks.entries()) {
    if (suspected?.[i] !== 0) breaches.push(...(await find(tx)))
  }
  return breaches
}

/** An instant for a person; what is none, in a damaged row, is shown as it is. */
export function shown(at: unknown): string {
  return typeof at === 'number' && Math.abs(at) <= LAST_INSTANT ? toTimestamp(at) : String(at)
}
