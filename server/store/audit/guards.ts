import { sql } from 'kysely'
import { postgresGuards } from '../../../migrations/0001-initial-postgres.js'
import { type Check, check } from './check.js'

// What the database itself holds the rules by (migrations/0001-initial.ts): whoever repaired something by hand may have
// taken a guard off and forgotten to put it back.

type Guards = Record<string, readonly string[]>

/** Triggers and unique indexes of both databases. */
const GUARDS: Guards = {
  A5: ['outages_are_kept', 'outages_are_not_rewritten'],
  B5: ['ledger_one_deduction'],
  B7: ['accounts_follow_ledger', 'accounts_start_empty', 'ledger_entries_are_not_rewritten', 'ledger_moves_balance'],
  B8: ['ledger_idempotency'],
  B10: ['ledger_one_correction'],
  E2: ['runs_one_live'],
  E4: ['runs_end_is_final'],
  E5: ['credit_accounts_are_kept', 'ledger_entries_are_kept', 'livestreams_are_kept', 'runs_are_kept'],
  V1: ['events_are_not_rewritten'],
  V2: ['events_move_sequence'],
}

const SQLITE_GUARDS: Guards = { B2: ['ledger_follows_run'], B7: ['ledger_fits'], V2: ['events_without_gaps'] }

const POSTGRES_GUARDS: Guards = {
  A5: ['outages_are_not_emptied', 'outages_pkey'],
  B7: ['credit_accounts_pkey', 'ledger_entries_are_not_emptied', 'ledger_entries_pkey'],
  E5: ['credit_accounts_are_not_emptied', 'livestreams_are_not_emptied', 'livestreams_pkey', 'runs_are_not_emptied'],
  E2: ['runs_pkey'],
  V2: ['events_pkey'],
}

/** What SQLite keeps with its tables and PostgreSQL can lose by itself: conditions of rows, and references. */
const POSTGRES_CONSTRAINTS: Guards = {
  A2: ['runs_check3', 'runs_check4'],
  A5: ['outages_check'],
  B1: ['ledger_entries_amount_check', 'ledger_entries_check1'],
  B2: ['ledger_entries_interval_index_check', 'runs_billed_intervals_check', 'runs_interval_ms_check'],
  B3: ['credit_accounts_balance_check', 'ledger_entries_balance_after_check'],
  B7: ['ledger_entries_kind_check', 'ledger_entries_check'],
  B8: ['ledger_entries_check3'],
  B10: ['ledger_entries_check2', 'runs_credits_consumed_check', 'runs_check2'],
  E4: ['runs_check', 'runs_end_reason_check', 'runs_check5', 'runs_check6'],
  V2: ['credit_accounts_last_seq_check'],
  V4: ['events_kind_check'],
}

const listed = (guards: Guards, find: (rule: string, name: string) => Check): Check[] =>
  Object.entries(guards).flatMap(([rule, names]) => names.map((name) => find(rule, name)))

export const SQLITE_GUARDS_IN_PLACE: Check[] = [GUARDS, SQLITE_GUARDS].flatMap((guards) =>
  listed(guards, (rule, name) =>
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

/** The tables of the program, wherever on the path they are found. */
const OURS = sql`(to_regclass('credit_accounts'), to_regclass('livestreams'), to_regclass('runs'),
  to_regclass('ledger_entries'), to_regclass('events'), to_regclass('outages'))`

const inPlace = (rule: string, name: string): Check =>
  check(
    rule,
    `the database holds it by ${name}`,
    sql<{ name: string }>`
      select 1 as missing where not exists (
        select 1 from pg_trigger where tgname = ${name} and tgenabled in ('O', 'A') and tgrelid in ${OURS}
        union all
        select 1 from pg_index join pg_class on pg_class.oid = indexrelid
        where relname = ${name} and indrelid in ${OURS} and indisunique and indisvalid and indisready)`,
    () => `${name} is missing in the database, so nothing holds this rule there`,
  )

const constrained = (rule: string, name: string): Check =>
  check(
    rule,
    `the database holds it by ${name}`,
    sql<{ name: string }>`
      select 1 as missing where not exists (
        select 1 from pg_constraint where conname = ${name} and conrelid in ${OURS} and convalidated)`,
    () => `${name} is missing in the database, or was never held against its rows, so nothing holds this rule there`,
  )

/** The functions behind the triggers, as the migration made them. */
const FUNCTIONS = postgresGuards().flatMap((statement) => {
  const [, name, body] = /^create function (\w+)\(\).*?\$\$(.*)\$\$/s.exec(statement) ?? []
  return name !== undefined && body !== undefined ? [{ name, body }] : []
})

const unchanged = FUNCTIONS.map(({ name, body }) =>
  check(
    'B7',
    `the function ${name} does what the migration made it do`,
    sql<{ name: string }>`
      select 1 as changed where not exists (
        select 1 from pg_proc where oid = to_regprocedure(${`${name}()`}) and prosrc = ${body})`,
    () => `the function ${name} is missing in the database or was changed, so nothing holds this rule there`,
  ),
)

export const POSTGRES_GUARDS_IN_PLACE: Check[] = [
  ...[GUARDS, POSTGRES_GUARDS].flatMap((guards) => listed(guards, inPlace)),
  ...listed(POSTGRES_CONSTRAINTS, constrained),
  ...unchanged,
  check(
    'E5',
    'references are held by the database',
    sql<{ name: string }>`
      select conname as name from pg_constraint where contype = 'f' and conrelid in ${OURS} and (not convalidated
        or exists (select 1 from pg_trigger where tgconstraint = pg_constraint.oid and tgenabled not in ('O', 'A')))
      union all
      select 'one of seven references' where (
        select count(*) from pg_constraint where contype = 'f' and conrelid in ${OURS}) < 7`,
    ({ name }) => `${name} is missing in the database or turned off, so nothing holds this rule there`,
  ),
]
