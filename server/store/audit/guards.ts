import { sql } from 'kysely'
import { type Check, check } from './check.js'

/**
 * What the database itself holds the rules by (migrations/0001-initial.ts): whoever repaired something by hand may have
 * taken a guard off and forgotten to put it back.
 */
const GUARDS: Record<string, readonly string[]> = {
  A5: ['outages_are_kept', 'outages_are_not_rewritten'],
  B5: ['ledger_one_deduction'],
  B7: [
    'accounts_follow_ledger',
    'accounts_start_empty',
    'ledger_entries_are_not_rewritten',
    'ledger_fits',
    'ledger_moves_balance',
  ],
  B8: ['ledger_idempotency'],
  B10: ['ledger_one_correction'],
  E2: ['runs_one_live'],
  E4: ['runs_end_is_final'],
  E5: ['credit_accounts_are_kept', 'ledger_entries_are_kept', 'livestreams_are_kept', 'runs_are_kept'],
  V1: ['events_are_not_rewritten'],
  V2: ['events_move_sequence', 'events_without_gaps'],
}

export const GUARDS_IN_PLACE: Check[] = Object.entries(GUARDS).flatMap(([rule, names]) =>
  names.map((name) =>
    check(
      rule,
      `the database holds it by ${name}`,
      sql<{ name: string }>`
        select ${name} as name where not exists (
          select 1 from sqlite_master where type in ('trigger', 'index') and name = ${name})`,
      () => `${name} is missing in the database, so nothing holds this rule there`,
    ),
  ),
)
