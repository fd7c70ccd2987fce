import type { EventKind, EventPayloads, RunForecast } from '../../client-sdk/protocol/index.js'
import { creditsRunOutAt } from './forecast.js'
import { type Instant, toTimestamp } from './instant.js'
import type { Account, IntervalRef, NewEntry } from './ledger.js'
import { currentInterval, type EndedRun, type LiveRun, nextIntervalAt } from './run.js'

/** An event that has no sequence yet. */
export type UnnumberedEvent = {
  [K in EventKind]: { kind: K; at: Instant; payload: Omit<EventPayloads[K], 'seq'> }
}[EventKind]

/** A live run on the tally, with what a warning will need to know. */
export interface TalliedRun {
  run: LiveRun
  readonly warnedBefore: Instant | null
  /** When this silence's warning was cleared, if it was. */
  clearedAt: Instant | null
  /** The newest entry of this run that lowered the balance to its threshold or below. */
  lowAt: Instant | null
  /** Since when the interval under way is the last that can be paid (B9). */
  finalSince: Instant | null
}

export interface TalliedEnd {
  readonly run: EndedRun
  readonly message: string
}

/**
 * One seller's account and live runs at an instant, with all that has happened to them in one transaction. Made by
 * `settle`, changed by the acts, and turned into what is written by `conclude`. It belongs to one transaction and is
 * changed in place; what it was made from is never touched.
 */
export interface Tally {
  readonly account: Account
  readonly now: Instant
  balance: number
  /** Oldest first (B4). */
  live: TalliedRun[]
  readonly ended: TalliedEnd[]
  readonly entries: NewEntry[]
  /** What stands whatever comes after it; warnings and ends are worded by `conclude`. */
  readonly events: UnnumberedEvent[]
  /** A movement of the account alone that left it low. */
  accountLow: { at: Instant; threshold: number } | null
}

export function tallied(run: LiveRun): TalliedRun {
  return { run, warnedBefore: run.warnedAt, clearedAt: null, lowAt: null, finalSince: null }
}

/** The interval of a run that is under way. */
export function intervalUnderWay(run: LiveRun): IntervalRef {
  return { livestreamId: run.livestreamId, runId: run.id, intervalIndex: currentInterval(run) }
}

/** When each live run would end, in their order. */
export function runOuts(tally: Tally): Instant[] {
  return creditsRunOutAt(
    tally.balance,
    tally.live.map(({ run }) => run),
  )
}

/** When this live run would end. */
export function runOutOf(tally: Tally, run: LiveRun): Instant {
  return runOuts(tally)[tally.live.findIndex((entry) => entry.run.id === run.id)] ?? nextIntervalAt(run)
}

/** Every live run of the seller, and until when the credits last (SPEC.md, S). */
export function forecasts(tally: Tally): RunForecast[] {
  const outs = runOuts(tally)
  return tally.live.map(({ run }, index) => ({
    livestream_id: run.livestreamId,
    run_id: run.id,
    credits_consumed: run.creditsConsumed,
    next_deduction_at: toTimestamp(nextIntervalAt(run)),
    credits_run_out_at: toTimestamp(outs[index] ?? nextIntervalAt(run)),
  }))
}

/** Moves the account by an entry and tells of it: a change and its event are one (V1). The caller has seen that the balance allows it. */
export function enter(tally: Tally, entry: Omit<NewEntry, 'balanceAfter'>): void {
  tally.balance += entry.amount
  tally.entries.push({ ...entry, balanceAfter: tally.balance })
  const { interval } = entry
  const owner = tally.live.find(({ run }) => run.id === interval?.runId)
  if (owner && interval) owner.run = withEntry(owner.run, entry.kind, entry.amount, interval.intervalIndex)
  tally.events.push({
    kind: 'credit_update',
    at: entry.occurredAt,
    payload: {
      occurred_at: toTimestamp(entry.occurredAt),
      livestream_id: interval?.livestreamId ?? null,
      run_id: interval?.runId ?? null,
      remaining_credits: tally.balance,
      change: entry.amount,
      kind: entry.kind,
      interval_index: interval?.intervalIndex ?? null,
      runs: forecasts(tally),
    },
  })
}

function withEntry(run: LiveRun, kind: NewEntry['kind'], amount: number, index: number): LiveRun {
  const creditsConsumed = run.creditsConsumed - amount
  if (kind === 'deduction') return { ...run, creditsConsumed, paidInterval: index, billedIntervals: index + 1 }
  return { ...run, creditsConsumed, paidInterval: run.paidInterval === index ? null : run.paidInterval }
}

/** Pays for the next interval of a run. The caller has seen that the balance allows it (B3). */
export function deductNextInterval(tally: Tally, owner: TalliedRun): void {
  const { run } = owner
  const at = nextIntervalAt(run)
  owner.finalSince = null
  enter(tally, {
    kind: 'deduction',
    amount: -1,
    interval: { livestreamId: run.livestreamId, runId: run.id, intervalIndex: run.billedIntervals },
    idempotencyKey: null,
    request: null,
    reason: null,
    occurredAt: at,
  })
  if (tally.balance <= run.policy.lowCreditThreshold) owner.lowAt = at
}

/** Ends a run for good (E4). */
export function close(
  tally: Tally,
  run: LiveRun,
  end: { at: Instant; reason: EndedRun['endReason']; message: string },
): EndedRun {
  const ended: EndedRun = { ...run, state: 'ended', endedAt: end.at, endReason: end.reason }
  tally.live = tally.live.filter((other) => other.run.id !== run.id)
  tally.ended.push({ run: ended, message: end.message })
  return ended
}

/** After all that happened at one instant: is the interval under way the last that can be paid (B9)? */
export function watchFinalIntervals(tally: Tally, at: Instant): void {
  const outs = runOuts(tally)
  tally.live.forEach((entry, index) => {
    const final = outs[index] === nextIntervalAt(entry.run)
    entry.finalSince = final ? (entry.finalSince ?? at) : null
  })
}
