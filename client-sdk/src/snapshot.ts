import type { EndReason, RunView, Timestamp } from '../protocol/index.js'
import type { Shown, State } from './state.js'

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
export interface MeterSnapshot extends Shown {
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
  /** How the last run ended; null while one is live, and where there was none. */
  readonly end: RunEnd | null
}

function endOf(run: RunView, told: string | null): RunEnd | null {
  const { run_id, end_reason: reason, started_at, ended_at, credits_consumed } = run
  if (!reason || !ended_at) return null
  const duration_minutes = Math.floor((Date.parse(ended_at) - Date.parse(started_at)) / 60_000)
  // Of an end that was not heard of as it happened, the server tells the reason only.
  const message = told ?? `Livestream ended: ${reason.replace('_', ' ')}`
  return { run_id, reason, message, ended_at, duration_minutes, credits_consumed }
}

export function stateOf(phase: State['phase'], run: RunView | null): MeterState {
  if (phase === 'refused') return 'unauthorized'
  if (run?.end_reason) return 'ended'
  if (phase === 'down') return 'reconnecting'
  return phase === 'up' ? (run ? 'live' : 'idle') : phase
}

/** The snapshot for what is known now: the one before where nothing changed. */
export function nextSnapshot(before: MeterSnapshot | null, { phase, message, ...shown }: State): MeterSnapshot {
  const { run, remaining_credits, policy } = shown
  const { credits_consumed = null, next_deduction_at = null, credits_run_out_at = null } = run ?? {}
  const end = run && endOf(run, message)
  const live = end ? null : run
  const next: MeterSnapshot = {
    ...shown,
    state: stateOf(phase, run),
    credits_consumed,
    next_deduction_at,
    credits_run_out_at,
    low_credits: policy !== null && Number(remaining_credits) <= policy.low_credit_threshold,
    final_interval: live !== null && next_deduction_at === credits_run_out_at,
    inactivity_warned: live !== null && shown.inactivity_warned,
    inactivity_ends_at:
      live && policy && (shown.inactivity_ends_at ?? later(live.last_activity, policy.inactivity_auto_end_ms)),
    end,
  }
  return keepSame(before ?? next, next)
}

function later(at: Timestamp, ms: number): Timestamp {
  return new Date(Date.parse(at) + ms).toISOString()
}

/** `next` with each part of `before` that says the same; `before` itself where all do. */
function keepSame<T extends object>(before: T, next: T): T {
  let same = true
  for (const key of Object.keys(next) as (keyof T)[]) {
    if (JSON.stringify(before[key]) === JSON.stringify(next[key])) next[key] = before[key]
    else same = false
    Object.freeze(next[key])
  }
  return Object.freeze(same ? before : next)
}
