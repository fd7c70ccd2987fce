import type { EndReason } from '../../client-sdk/protocol/index.js'
import type { Instant } from './instant.js'
import type { Policy } from './policy.js'

interface RunBase {
  /** Ids are in the order of starting (B4). */
  readonly id: number
  readonly livestreamId: string
  readonly sellerId: string
  readonly startedAt: Instant
  readonly policy: Policy
  /** How many intervals have begun: each was paid for, or waived (B12). */
  readonly billedIntervals: number
  /** The newest interval that was deducted, until it is given back; a waived one never was (B10, B12). */
  readonly paidInterval: number | null
  /** Deductions less refunds. */
  readonly creditsConsumed: number
  readonly lastActivityAt: Instant
  /** Where the silence counts from: the last activity, or the end of a later outage (A2). */
  readonly silentSince: Instant
  /** The instant at which this silence's warning fell due, once it was given (A3). */
  readonly warnedAt: Instant | null
  /** The interval for which the run was told that it is the last that can be paid (B9). */
  readonly finalToldInterval: number | null
}

export interface LiveRun extends RunBase {
  readonly state: 'live'
}

export interface EndedRun extends RunBase {
  readonly state: 'ended'
  readonly endedAt: Instant
  readonly endReason: EndReason
}

export type Run = LiveRun | EndedRun

/** The beginning of billing interval `index`: absolute, so it never drifts. */
export function intervalBegin(run: Run, index: number): Instant {
  return run.startedAt + index * run.policy.intervalMs
}

/** The beginning of the next interval, which is when the next credit falls due. */
export function nextIntervalAt(run: Run): Instant {
  return intervalBegin(run, run.billedIntervals)
}

/** The index of the interval under way. */
export function currentInterval(run: Run): number {
  return run.billedIntervals - 1
}

/**
 * The earliest instant at which something of this run can happen by itself: its next interval, its warning, or its
 * deadline once it was warned. A heartbeat or an outage makes the true instant later, never earlier, so an old value is
 * early at worst: the sweep looks, finds nothing, and writes the later one.
 */
export function dueAt(run: LiveRun): Instant {
  const { warningMs, autoEndMs } = run.policy
  return Math.min(nextIntervalAt(run), run.silentSince + (run.warnedAt === null ? warningMs : autoEndMs))
}

/** A run at its first instant, before anything is paid. */
export function newRun(
  id: number,
  livestreamId: string,
  sellerId: string,
  startedAt: Instant,
  policy: Policy,
): LiveRun {
  return {
    state: 'live',
    id,
    livestreamId,
    sellerId,
    startedAt,
    policy,
    billedIntervals: 0,
    paidInterval: null,
    creditsConsumed: 0,
    lastActivityAt: startedAt,
    silentSince: startedAt,
    warnedAt: null,
    finalToldInterval: null,
  }
}
