import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.js'
import type { Config } from '../config.js'
import { Refusal, SetupError } from '../domain/errors.js'
import { type Instant, toTimestamp, wholeMinutes } from '../domain/instant.js'
import type { Outcome } from '../domain/outcome.js'
import { nextIntervalAt } from '../domain/run.js'
import { createMetering, type Metering } from '../services/metering.js'
import { sweepOnce } from '../services/sweep.js'
import { commandTimekeeper } from '../services/timekeeper.js'
import { loadAccounts } from '../store/accounts.js'
import type { Db } from '../store/database.js'
import { liveSellers, loadLiveRuns } from '../store/runs.js'
import { withDatabase } from './with-database.js'

export interface MonitorOptions {
  readonly runOnce: boolean
  readonly verbose: boolean
  readonly checkIntervalMs: number
  /** Ends the continuous monitor, after the pass under way. */
  readonly signal: AbortSignal
}

/**
 * `tallylight monitor_credits`: the sweep alone, as the old management command. Prints what it did once that is
 * committed, a line each; safe beside a server or another monitor.
 */
export async function monitorCredits(
  config: Config,
  options: MonitorOptions,
  print: (line: string) => void,
): Promise<void> {
  await withDatabase(config, async ({ db }, clock) => {
    const metering = createMetering({ db, clock, timekeeper: commandTimekeeper(clock), announce: () => undefined })
    if (!options.runOnce) print(`monitoring every ${options.checkIntervalMs / 1000} s; stop with Ctrl+C`)
    for (;;) {
      try {
        const unsettled = await pass(metering, clock, options.verbose, print)
        if (options.runOnce && unsettled > 0) throw new SetupError(`${unsettled} of the sellers cannot be settled`)
      } catch (error) {
        // A busy database is no reason to end a monitor that runs for months: the next check catches up (B4).
        if (options.runOnce || !(error instanceof Refusal)) throw error
        print(`could not check: ${error.message}`)
      }
      if (options.runOnce || options.signal.aborted) return
      await sleep(options.checkIntervalMs, undefined, { signal: options.signal }).catch(() => undefined)
      if (options.signal.aborted) return
    }
  })
}

/** @returns how many sellers could not be settled */
async function pass(
  metering: Metering,
  clock: Clock,
  verbose: boolean,
  print: (line: string) => void,
): Promise<number> {
  const seen = { deducted: 0, warned: 0, ended: 0 }
  let unsettledCount = 0
  await sweepOnce(metering, clock, {
    onOutcome: (outcome) => {
      for (const line of report(outcome, seen)) print(line)
    },
    onUnsettled: (unsettled) => {
      unsettledCount = unsettled.length
      for (const { sellerId, why } of unsettled) print(`seller ${sellerId} cannot be settled: ${why.message}`)
    },
  })
  if (verbose) await printLive(metering.db, clock.now(), print)
  print(`checked at ${toTimestamp(clock.now())}: ${seen.deducted} deducted, ${seen.warned} warned, ${seen.ended} ended`)
  return unsettledCount
}

/** What was done to one seller, a line for each livestream. */
function* report(
  { runs, events, balance }: Outcome,
  seen: { deducted: number; warned: number; ended: number },
): Generator<string> {
  for (const run of runs) {
    const own = events.filter(({ payload }) => payload.run_id === run.id)
    const deducted = own.filter((event) => event.kind === 'credit_update' && event.payload.kind === 'deduction').length
    const warnings = own.filter(({ kind }) => kind === 'inactivity_warning' || kind === 'low_credit_warning')
    seen.deducted += deducted
    seen.warned += warnings.length
    if (run.state === 'ended') seen.ended += 1
    const parts = [
      ...(deducted > 0 ? [`deducted ${deducted}`] : []),
      ...warnings.map(({ kind }) => (kind === 'inactivity_warning' ? 'warned of inactivity' : 'warned of low credits')),
      ...(own.some(({ kind }) => kind === 'inactivity_cleared') ? ['warning cleared'] : []),
      ...(run.state === 'ended' ? [`ended at ${toTimestamp(run.endedAt)} (${run.endReason})`] : []),
    ]
    if (parts.length > 0) yield `${run.livestreamId}: ${parts.join(', ')}; ${balance} remaining`
  }
}

/** With `--verbose`: every live livestream as the pass left it, with the minutes to its next deduction. */
async function printLive(db: Db, now: Instant, print: (line: string) => void): Promise<void> {
  for (let after = ''; ; ) {
    const sellerIds = await liveSellers(db, after, 100)
    const balances = new Map((await loadAccounts(db, sellerIds)).map(({ sellerId, balance }) => [sellerId, balance]))
    for (const run of await loadLiveRuns(db, sellerIds)) {
      const minutes = wholeMinutes(Math.max(0, nextIntervalAt(run) - now))
      print(
        `${run.livestreamId}: live, ${run.creditsConsumed} deducted, ${balances.get(run.sellerId)} remaining, ` +
          `next deduction in ${minutes} min, silent for ${wholeMinutes(now - run.silentSince)} min` +
          (run.warnedAt === null ? '' : ' (warned)'),
      )
    }
    const last = sellerIds.at(-1)
    if (last === undefined) return
    after = last
  }
}
