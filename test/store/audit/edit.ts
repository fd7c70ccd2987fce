import { testsPostgres } from '../../support/fresh-database.js'
import { HISTORY_BEGAN_AT } from '../../support/varied-history.js'

/** A change by hand that breaks a rule. */
export interface Edit {
  readonly rule: string
  readonly what: string
  readonly edit: string
  /** Where the other database cannot hold such a thing. */
  readonly only?: 'sqlite' | 'postgres'
  /** Other rules that the same edit breaks. */
  readonly also?: readonly string[]
  /** What the audit says of it. */
  readonly says: RegExp
}

export const runsOf = (livestream: string) => `select id from runs where livestream_id = '${livestream}'`
/** Ann ended it herself, with a deduction given back by an operator. */
export const ENDED = `(${runsOf('ann-show')} order by id limit 1)`
export const EXHAUSTED = `(${runsOf('bob-show')})`
export const INACTIVE = `(${runsOf('dan-show')} order by id limit 1)`
export const LIVE = `(${runsOf('ann-show')} and ended_at is null)`
export const OPERATORS_REFUND = `(select id from ledger_entries where kind = 'refund' and idempotency_key like 'client:%')`
export const aboutRun = (run: string) => `('%"run_id":' || ${run} || ',%')`
/** An event that no other table knows of. */
export const WARNING_OF_DAN = `seller_id = 'dan' and kind = 'inactivity_warning' and payload like ${aboutRun(INACTIVE)}`

/** Moves an event in time, as whoever moves what it tells of would. */
export const moveEvent = (kind: string, run: string, ms: number | string) =>
  `update events set occurred_at = occurred_at + ${ms},
    payload = replace(payload, ${timestamp('occurred_at')}, ${timestamp(`(occurred_at + ${ms})`)})
    where kind = '${kind}' and payload like ${aboutRun(run)};`
const timestamp = (instant: string) =>
  testsPostgres
    ? `to_char(to_timestamp(${instant} / 1000.0) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
    : `strftime('%Y-%m-%dT%H:%M:%fZ', ${instant} / 1000.0, 'unixepoch')`

export const moveEnd = (run: string, ms: number | string) =>
  `${moveEvent('stream_ended', run, ms)} update runs set ended_at = ended_at + ${ms} where id = ${run};`

export const outage = (fromMs: number, toMs: number) =>
  `insert into outages values (${HISTORY_BEGAN_AT + fromMs}, ${HISTORY_BEGAN_AT + toMs});`
