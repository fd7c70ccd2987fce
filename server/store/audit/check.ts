import { type RawBuilder, sql } from 'kysely'
import { LAST_INSTANT, toTimestamp } from '../../domain/instant.js'
import type { Db } from '../database.js'

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
  find(db: Db): Promise<Breach[]>
}

/** How many breaches of one check are told one by one. */
export const MOST_SHOWN = 20

/**
 * @param breaches selects the breaches and nothing else, so that the tables stay in the database however large they are.
 *   It trusts no constraint: a column can hold anything, null too, which is why it compares by `is not`
 * @param text tells a breach in plain words, with the ids and numbers that one needs to find it
 */
export function check<Row>(
  rule: string,
  promise: string,
  breaches: RawBuilder<Row>,
  text: (row: Row) => string,
): Check {
  return {
    rule,
    promise,
    async find(db) {
      try {
        return await findBreaches(db)
      } catch (error) {
        // Damaged data can be such that SQLite refuses to look at it; the other checks go on.
        return [{ rule, text: `whether this holds cannot be seen: ${promise} (${String(error)})` }]
      }
    },
  }

  async function findBreaches(db: Db): Promise<Breach[]> {
    const { rows } = await sql<Row>`select * from (${breaches}) limit ${MOST_SHOWN + 1}`.execute(db)
    const told = rows.slice(0, MOST_SHOWN).map((row) => ({ rule, text: text(row) }))
    if (rows.length <= MOST_SHOWN) return told
    const counted = await sql<{ found: number }>`select count(*) as found from (${breaches})`.execute(db)
    const more = (counted.rows[0]?.found ?? rows.length) - MOST_SHOWN
    return [...told, { rule, text: `and ${more} more where this does not hold: ${promise}` }]
  }
}

/** An instant for a person; what is none, in a damaged row, is shown as it is. */
export function shown(at: unknown): string {
  return typeof at === 'number' && Math.abs(at) <= LAST_INSTANT ? toTimestamp(at) : String(at)
}
