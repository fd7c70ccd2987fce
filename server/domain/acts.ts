import type { EndReason } from '../../client-sdk/protocol/index.js'
import { endMessage } from './end-message.js'
import { Refusal } from './errors.js'
import { toTimestamp } from './instant.js'
import { type IntervalRef, LARGEST_BALANCE } from './ledger.js'
import type { Policy } from './policy.js'
import { currentInterval, type EndedRun, intervalBegin, type LiveRun, newRun, nextIntervalAt } from './run.js'
import {
  close,
  deductNextInterval,
  enter,
  intervalUnderWay,
  runOutOf,
  type TalliedRun,
  type Tally,
  tallied,
  watchFinalIntervals,
} from './tally.js'

// What people do, after everything that was due at the same instant (B4). Each throws a Refusal before it changes anything.

function liveRun(tally: Tally, runId: number): TalliedRun | undefined {
  return tally.live.find(({ run }) => run.id === runId)
}

/**
 * Opens a run and pays for interval 0 (B2).
 * @throws Refusal `insufficient_credits`
 */
export function start(tally: Tally, runId: number, livestreamId: string, policy: Policy): LiveRun {
  if (tally.balance < 1) throw new Refusal('insufficient_credits', 'Insufficient credits to start livestream')
  const entry = tallied(newRun(runId, livestreamId, tally.account.sellerId, tally.now, policy))
  tally.live.push(entry)
  deductNextInterval(tally, entry)
  const { run } = entry
  tally.events.push({
    kind: 'stream_started',
    at: tally.now,
    payload: {
      occurred_at: toTimestamp(tally.now),
      livestream_id: livestreamId,
      run_id: runId,
      remaining_credits: tally.balance,
      credits_consumed: run.creditsConsumed,
      next_deduction_at: toTimestamp(nextIntervalAt(run)),
      credits_run_out_at: toTimestamp(runOutOf(tally, run)),
    },
  })
  watchFinalIntervals(tally, tally.now)
  return run
}

/**
 * Ends a live run by its seller or by an operator. An interval that the seller ends within its grace is given back (B10).
 * @returns null when the run is not live
 */
export function end(
  tally: Tally,
  runId: number,
  reason: Extract<EndReason, 'seller' | 'operator'>,
  note?: string,
): EndedRun | null {
  const entry = liveRun(tally, runId)
  if (!entry) return null
  if (reason === 'seller') refundWithinGrace(tally, entry.run)
  const ended = close(tally, entry.run, { at: tally.now, reason, message: endMessage(reason, note) })
  watchFinalIntervals(tally, tally.now)
  return ended
}

function refundWithinGrace(tally: Tally, run: LiveRun): void {
  const index = currentInterval(run)
  const underWayMs = tally.now - intervalBegin(run, index)
  if (index < 1 || underWayMs >= run.policy.refundGraceMs) return
  // Only what was paid, and is not given back yet, can be given back.
  if (run.paidInterval !== index || tally.balance >= LARGEST_BALANCE) return
  refund(
    tally,
    intervalUnderWay(run),
    'Ended within the grace of the interval',
    `program:refund:${run.id}:${index}`,
    null,
  )
}

/**
 * Proof that the seller is there (A1). It clears a warning (A3).
 * @returns null when the run is not live
 */
export function recordActivity(tally: Tally, runId: number): LiveRun | null {
  const entry = liveRun(tally, runId)
  if (!entry) return null
  if (entry.run.warnedAt !== null) entry.clearedAt = tally.now
  entry.run = {
    ...entry.run,
    // A2: never backwards.
    lastActivityAt: Math.max(entry.run.lastActivityAt, tally.now),
    silentSince: Math.max(entry.run.silentSince, tally.now),
    warnedAt: null,
  }
  return entry.run
}

/** What a client's request to move credits carries into the ledger (B8). */
export interface CreditRequest {
  readonly idempotencyKey: string
  readonly request: string
  readonly reason: string | null
}

/**
 * Grants credits (`amount` above 0) or takes some away as an adjustment (below 0).
 * @throws Refusal `balance_would_be_negative` (B3), `balance_too_large`
 */
export function moveCredits(tally: Tally, amount: number, request: CreditRequest, lowCreditThreshold: number): void {
  ensureBalanceAllows(tally, amount)
  const kind = amount > 0 ? 'grant' : 'adjustment'
  enter(tally, { ...request, kind, amount, interval: null, occurredAt: tally.now })
  if (amount < 0 && tally.balance <= lowCreditThreshold) {
    tally.accountLow = { at: tally.now, threshold: lowCreditThreshold }
  }
  watchFinalIntervals(tally, tally.now)
}

/**
 * Gives the deduction of an interval back. That this happens once is held by the ledger (B10).
 * @throws Refusal `balance_too_large`
 */
export function refundDeduction(tally: Tally, interval: IntervalRef, request: CreditRequest): void {
  ensureBalanceAllows(tally, 1)
  refund(tally, interval, request.reason, request.idempotencyKey, request.request)
  watchFinalIntervals(tally, tally.now)
}

function refund(
  tally: Tally,
  interval: IntervalRef,
  reason: string | null,
  idempotencyKey: string,
  request: string | null,
): void {
  enter(tally, { kind: 'refund', amount: 1, interval, idempotencyKey, request, reason, occurredAt: tally.now })
}

function ensureBalanceAllows(tally: Tally, amount: number): void {
  const balance = tally.balance + amount
  if (balance < 0) {
    throw new Refusal(
      'balance_would_be_negative',
      `The account holds ${tally.balance} credits, so ${-amount} cannot be taken away`,
    )
  }
  if (balance > LARGEST_BALANCE)
    throw new Refusal('balance_too_large', `An account holds at most ${LARGEST_BALANCE} credits`)
}
