import { endMessage } from './end-message.js'
import type { Instant } from './instant.js'
import type { Account } from './ledger.js'
import { deadlineOf, isWaived, type Outage, silenceOf } from './outage.js'
import { type LiveRun, nextIntervalAt } from './run.js'
import { close, deductNextInterval, type TalliedRun, type Tally, tallied, watchFinalIntervals } from './tally.js'

/**
 * The one function that decides: brings all live runs of one seller up to `now`, inclusive (B11). It walks their
 * intervals and deadlines together in time order, ties to the older run, since they spend one account (B4). The same
 * facts give the same ledger, ends and end times, however often it is called on the way.
 *
 * @param liveRuns all live runs of the seller
 * @param outages in the order of their beginnings; at least those that end after the oldest thing not yet settled
 */
export function settle(
  account: Account,
  liveRuns: readonly LiveRun[],
  outages: readonly Outage[],
  now: Instant,
): Tally {
  // Filled and not mapped: DECISIONS.md, "A seller's state is one statement".
  const live: TalliedRun[] = []
  for (const run of liveRuns) live.push(tallied(run))
  live.sort((a, b) => a.run.id - b.run.id)
  for (const entry of live) restartSilence(entry, outages)
  const tally: Tally = {
    account,
    now,
    balance: account.balance,
    live,
    ended: [],
    entries: [],
    events: [],
    accountLow: null,
  }
  const nextOf = ({ run }: TalliedRun) => Math.min(nextIntervalAt(run), deadlineOf(run, outages))

  for (;;) {
    let at = Number.POSITIVE_INFINITY
    for (const entry of tally.live) at = Math.min(at, nextOf(entry))
    if (at > now) break
    for (const entry of tally.live) if (nextOf(entry) === at) step(tally, entry, outages)
    watchFinalIntervals(tally, at)
  }
  for (const entry of tally.live) warnOfSilence(entry, outages, now)
  return tally
}

/** Applies the outages to a run's silence (A5). The end of one clears a warning (A3). */
function restartSilence(entry: TalliedRun, outages: readonly Outage[]): void {
  const { silentSince, restartedAt } = silenceOf(entry.run, outages)
  if (restartedAt === null) return
  if (entry.run.warnedAt !== null) entry.clearedAt = restartedAt
  entry.run = { ...entry.run, silentSince, warnedAt: null }
}

/** The next thing of one run: an interval that is waived or paid, or its end. */
function step(tally: Tally, entry: TalliedRun, outages: readonly Outage[]): void {
  const { run } = entry
  const begin = nextIntervalAt(run)
  const deadline = deadlineOf(run, outages)
  // B6: no interval that begins at or after the deadline is paid. E3: on a tie, want of credits comes first.
  if (begin > deadline) {
    close(tally, run, { at: deadline, reason: 'inactivity', message: endMessage('inactivity') })
  } else if (isWaived(begin, run.policy.autoEndMs, outages)) {
    entry.run = { ...run, billedIntervals: run.billedIntervals + 1 }
    entry.finalSince = null
  } else if (tally.balance < 1) {
    close(tally, run, { at: begin, reason: 'credits_exhausted', message: endMessage('credits_exhausted') })
  } else if (begin === deadline) {
    close(tally, run, { at: deadline, reason: 'inactivity', message: endMessage('inactivity') })
  } else {
    deductNextInterval(tally, entry)
  }
}

/** A3; not in an open outage, whose end will restart the silence. */
function warnOfSilence(entry: TalliedRun, outages: readonly Outage[], now: Instant): void {
  const { run } = entry
  const warningAt = run.silentSince + run.policy.warningMs
  if (run.warnedAt !== null || warningAt > now || deadlineOf(run, outages) === Number.POSITIVE_INFINITY) return
  entry.run = { ...run, warnedAt: warningAt }
}
