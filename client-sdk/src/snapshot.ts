import type { EndReason, RunView, Timestamp } from '../protocol/index.js'
import type { MeterError } from './errors.js'
import type { Known } from './knowledge.js'
import type { Via } from './line.js'

/**
 * Where a meter stands.
 *
 *      connect(), start()                 a run is live
 *   idle ──────────────► connecting ───────────────────► live ◄──────────┐
 *    ▲                     │    │                        │  │            │ connected again,
 *    └── nothing is live ──┘    │ it was over      it is │  │ connection │ and still live
 *                               │ before            over │  │ lost       │
 *                               ▼                        ▼  ▼            │
 *                             ended ◄────────────────────── reconnecting ┘
 *                               │ start(), or a start elsewhere ──► live
 *
 *   unauthorized: from any of them by a refusal that would be the same next time (`snapshot.error` says which), until
 *   connect() or start() is called again. An end outlasts a lost connection: `ended` stays `ended`.
 */
export type MeterState = 'idle' | 'connecting' | 'live' | 'reconnecting' | 'ended' | 'unauthorized'

/** How far the meter's connection is. */
export type Phase = 'idle' | 'connecting' | 'up' | 'down' | 'refused'

/** What only this side knows. */
export interface Standing {
  /** How the server is reached now: over REST events come some seconds late. Null while it is not. */
  readonly connection: Via | null
  /** Since when what is here may be out of date, by the server's time. Null while connected, and before that. */
  readonly stale_since: Timestamp | null
  /** How far the server's clock is ahead of this page's, in milliseconds. Null before the server was heard. */
  readonly server_offset_ms: number | null
  /** What went wrong last; null once it is well again. */
  readonly error: MeterError | null
}

/** How a run ended. */
export interface RunEnd {
  readonly run_id: number
  readonly reason: EndReason
  /** Why, in a sentence for the seller. */
  readonly message: string
  readonly ended_at: Timestamp
  /** Whole minutes from start to end, rounded down. */
  readonly duration_minutes: number
  readonly credits_consumed: number
}

/** All that a page shows, frozen. It is the same object until something in it changes, and so is each object in it. */
export interface MeterSnapshot extends Standing, Omit<Known, 'end_message'> {
  readonly state: MeterState
  /** Of the current run, or else the last: deductions less refunds. */
  readonly credits_consumed: number | null
  /** Null while nothing is live. */
  readonly next_deduction_at: Timestamp | null
  /** When the run ends if nothing is bought and all of the seller's live runs go on. Null while nothing is live. */
  readonly credits_run_out_at: Timestamp | null
  /** The balance is at the policy's threshold or below it. */
  readonly low_credits: boolean
  /** The interval under way is the last that can be paid: the run ends at `next_deduction_at`. */
  readonly final_interval: boolean
  /** When the run ends if the seller shows no sign of life; not earlier. Null while nothing is live. */
  readonly inactivity_ends_at: Timestamp | null
  /** How the last run ended; null while one is live, and where there was none. */
  readonly end: RunEnd | null
}

/** As the server words them; for an end that was not heard of as it happened. */
const END_MESSAGES: Record<EndReason, string> = {
  seller: 'by the seller',
  inactivity: 'due to inactivity',
  credits_exhausted: 'due to insufficient credits',
  operator: 'by an operator',
}

function endOf({ run_id, end_reason: reason, started_at, ended_at, credits_consumed }: RunView, told: string | null) {
  if (!reason || !ended_at) return null
  const duration_minutes = Math.floor((Date.parse(ended_at) - Date.parse(started_at)) / 60_000)
  const message = told ?? `Livestream ended ${END_MESSAGES[reason]}`
  return { run_id, reason, message, ended_at, duration_minutes, credits_consumed }
}

export function stateOf(phase: Phase, run: RunView | null): MeterState {
  if (phase === 'refused') return 'unauthorized'
  if (run?.status === 'ended') return 'ended'
  if (phase === 'down') return 'reconnecting'
  return phase === 'up' ? (run ? 'live' : 'idle') : phase
}

/** The snapshot for what is known now: the one before where nothing changed. */
export function nextSnapshot(
  before: MeterSnapshot | null,
  phase: Phase,
  standing: Standing,
  { end_message, ...known }: Known,
): MeterSnapshot {
  const { run, remaining_credits, policy } = known
  const { credits_consumed = null, next_deduction_at = null, credits_run_out_at = null } = run ?? {}
  const isLive = run?.status === 'live'
  const autoEndAt = isLive && policy && Date.parse(run.last_activity) + policy.inactivity_auto_end_ms
  const next: MeterSnapshot = {
    ...standing,
    ...known,
    state: stateOf(phase, run),
    credits_consumed,
    next_deduction_at,
    credits_run_out_at,
    low_credits: policy !== null && Number(remaining_credits) <= policy.low_credit_threshold,
    final_interval: isLive && next_deduction_at === credits_run_out_at,
    inactivity_warned: isLive && known.inactivity_warned,
    inactivity_ends_at: autoEndAt ? (known.inactivity_ends_at ?? new Date(autoEndAt).toISOString()) : null,
    end: run && endOf(run, end_message),
  }
  return keepSame(before ?? next, next)
}

/** `next` with each part of `before` that says the same; `before` itself where all do. */
function keepSame<T extends object>(before: T, next: T): T {
  let same = true
  for (const key of Object.keys(next) as (keyof T)[]) {
    if (JSON.stringify(before[key]) === JSON.stringify(next[key])) next[key] = before[key]
    else same = false
    Object.freeze(next[key])
  }
  return same ? before : Object.freeze(next)
}
