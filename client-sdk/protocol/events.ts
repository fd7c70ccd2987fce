import type { EndReason, EntryKind } from './reasons.js'
import type { Timestamp } from './views.js'

/** The kinds of events, in the order in which one transaction writes them (V4). */
export const EVENT_KINDS = [
  'stream_started',
  'credit_update',
  'low_credit_warning',
  'inactivity_warning',
  'inactivity_cleared',
  'stream_ended',
] as const
export type EventKind = (typeof EVENT_KINDS)[number]

/** What every event carries. `livestream_id` and `run_id` are null for what concerns only the account, a grant say. */
export interface EventBase {
  /** The event's place in the seller's sequence: 1, 2, 3, … without gaps, over all livestreams (V2). */
  seq: number
  occurred_at: Timestamp
  livestream_id: string | null
  run_id: number | null
}

export interface StreamStarted extends EventBase {
  remaining_credits: number
  credits_consumed: number
  next_deduction_at: Timestamp
  credits_run_out_at: Timestamp
}

export interface RunForecast {
  livestream_id: string
  run_id: number
  credits_consumed: number
  next_deduction_at: Timestamp
  credits_run_out_at: Timestamp
}

export interface CreditUpdate extends EventBase {
  remaining_credits: number
  /** Signed, in credits. */
  change: number
  kind: EntryKind
  /** Which billing interval of the run; null for what is not a deduction or the refund of one. */
  interval_index: number | null
  /** Every live run of the seller, since all spend one account. */
  runs: RunForecast[]
}

export interface LowCreditWarning extends EventBase {
  remaining_credits: number
  threshold: number
  /** True when the interval under way is the last that can be paid. */
  final: boolean
  /** Null where the seller has nothing live. */
  credits_run_out_at: Timestamp | null
}

export interface InactivityWarning extends EventBase {
  last_activity: Timestamp
  /** Whole minutes of silence, rounded down. */
  inactive_minutes: number
  ends_at: Timestamp
}

export interface InactivityCleared extends EventBase {
  last_activity: Timestamp
}

export interface StreamEnded extends EventBase {
  reason: EndReason
  message: string
  /** Whole minutes from start to end, rounded down. */
  duration_minutes: number
  credits_consumed: number
  remaining_credits: number
}

/** The payload of each kind of event. */
export interface EventPayloads {
  stream_started: StreamStarted
  credit_update: CreditUpdate
  low_credit_warning: LowCreditWarning
  inactivity_warning: InactivityWarning
  inactivity_cleared: InactivityCleared
  stream_ended: StreamEnded
}

/** An event as `GET /api/events/` lists it: its kind, and what a socket would have carried. */
export type SellerEvent = { [K in EventKind]: { event: K } & EventPayloads[K] }[EventKind]

/** What `GET /api/events/?after=n` answers. */
export interface EventPage {
  items: SellerEvent[]
  /** The seller's newest sequence. */
  seq: number
  /** True where events past `after` are no longer kept, or `after` is from another history. */
  reset: boolean
}
