import { sql } from 'kysely'
import type { Breach, Check } from './audit/check.js'
import { CORRECTIONS } from './audit/corrections.js'
import { ENDS } from './audit/ends.js'
import { EVENTS } from './audit/events.js'
import { GUARDS_IN_PLACE } from './audit/guards.js'
import { INTERVALS } from './audit/intervals.js'
import { MONEY } from './audit/money.js'
import { OUTAGES } from './audit/outages.js'
import { RUNS } from './audit/runs.js'
import type { Db } from './database.js'

export type { Breach } from './audit/check.js'

export interface Audit {
  /** How much there was to look at, by name. */
  readonly checked: Readonly<Record<string, number>>
  /** Empty where all is well. */
  readonly breaches: readonly Breach[]
}

/**
 * Everything that is looked at. Triggers and constraints hold much of it already; the audit is for when one doubts them,
 * after a restored backup or a change by hand, and relies on none.
 */
export const CHECKS: readonly Check[] = [
  ...GUARDS_IN_PLACE,
  ...RUNS,
  ...MONEY,
  ...CORRECTIONS,
  ...INTERVALS,
  ...ENDS,
  ...EVENTS,
  ...OUTAGES,
]

/**
 * Checks the data against every rule of B, E and V that it can show, and against what A2 and A5 say of it. All of it is
 * read in one transaction, so that it is of one instant beside a running server, which it does not hold up.
 *
 * What no data shows: what was due and not looked at yet, since any schedule of looks is right (B4); whether somebody was
 * warned who no longer has to be (B9, V4); and who asked (E1).
 */
export async function auditDatabase(db: Db): Promise<Audit> {
  return db
    .transaction()
    .setAccessMode('read only')
    .execute(async (tx) => {
      const breaches: Breach[] = []
      for (const { find } of CHECKS) breaches.push(...(await find(tx)))
      return { checked: await countRows(tx), breaches }
    })
}

async function countRows(db: Db): Promise<Record<string, number>> {
  const { rows } = await sql<Record<string, number>>`
    select (select count(*) from credit_accounts) as accounts, (select count(*) from livestreams) as livestreams,
      (select count(*) from runs) as runs, (select count(*) from ledger_entries) as "ledger entries",
      (select count(*) from events) as events, (select count(*) from outages) as outages`.execute(db)
  return rows[0] ?? {}
}
