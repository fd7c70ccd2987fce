import type { EndReason, EntryKind } from './reasons.js'

/** An instant on the wire: ISO 8601 in UTC with milliseconds and `Z`. */
export type Timestamp = string

/** The rules that a run is metered by, so that a page hard-codes none of them. Times in milliseconds. */
export interface PolicyView {
  deduction_interval_ms: number
  inactivity_warning_ms: number
  inactivity_auto_end_ms: number
  low_credit_threshold: number
}

/** One time that a livestream was live, from start to end. */
export interface RunView {
  run_id: number
  status: 'live' | 'ended'
  started_at: Timestamp
  ended_at: Timestamp | null
  end_reason: EndReason | null
  /** Deductions less refunds. */
  credits_consumed: number
  last_activity: Timestamp
  /** Null once the run is over. */
  next_deduction_at: Timestamp | null
  /** When the run would end if nothing is granted and all live runs of the seller go on. Null once the run is over. */
  credits_run_out_at: Timestamp | null
}

export interface LivestreamView {
  id: string
  seller_id: string
  title: string
  created_at: Timestamp
  /** The current run, or else the last; null where the livestream was never live. */
  run: RunView | null
  /** Whether the seller holds a socket now. Says nothing about activity. */
  connected: boolean
}

export interface LedgerEntryView {
  id: number
  kind: EntryKind
  /** Signed, in credits. */
  amount: number
  balance_after: number
  livestream_id: string | null
  run_id: number | null
  interval_index: number | null
  reason: string | null
  /** The id of the entry that this one corrects. */
  corrects: number | null
  /** When it took effect. */
  occurred_at: Timestamp
  /** When it was written. */
  created_at: Timestamp
}
