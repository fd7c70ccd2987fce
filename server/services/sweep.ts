import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../clock.js'
import type { Instant } from '../domain/instant.js'
import type { Outcome } from '../domain/outcome.js'
import type { Log } from '../log.js'
import { earliestDue, PASS_BEGIN } from '../store/due.js'
import { lastStamp } from '../store/stamps.js'
import { type Loop, startLoop } from './loop.js'
import type { Metering } from './metering.js'

/** How many due runs one transaction of a pass settles: a few milliseconds of the event loop. */
const BATCH_RUNS = 250
/** The shortest sleep between two passes. */
const SHORTEST_SLEEP_MS = 20

/**
 * One pass: settles every seller that has something due, batch by batch, and lets other work in between. Where nothing
 * is due it is one look at an index. When it is over, nothing that was due is left, but for the sellers whom another sweep
 * settles at the same time where those are left to it.
 * @param onOutcome hears what was done to each seller, after it is committed
 */
export async function sweepOnce(
  metering: Metering,
  clock: Clock,
  { onOutcome, others = 'wait' }: { onOutcome?: (outcome: Outcome) => void; others?: 'leave' | 'wait' } = {},
): Promise<void> {
  const due = await earliestDue(metering.db)
  if (due === null || due > Math.max(clock.now(), (await lastStamp(metering.db)) ?? 0)) return
  let position = PASS_BEGIN
  for (;;) {
    const pass = await metering.settleDue(position, BATCH_RUNS, others)
    if (onOutcome) for (const outcome of pass.outcomes) onOutcome(outcome)
    if (!pass.more) return
    position = pass.position
    await setImmediate()
  }
}

export interface Sweep extends Loop {
  /** Tells the sweep of a due instant that is sooner than it may know. */
  expect(dueAt: Instant): void
}

/**
 * Sweeps until it is stopped: between passes it sleeps until the earliest due instant, at most `longestSleepMs`, since
 * another process can start a run that this one has not heard of.
 */
export function startSweep(metering: Metering, clock: Clock, longestSleepMs: number, log: Log): Sweep {
  const sleepUntil = (dueAt: Instant) => Math.min(longestSleepMs, Math.max(SHORTEST_SLEEP_MS, dueAt - clock.now()))
  const loop = startLoop(
    'sweep',
    async () => {
      await sweepOnce(metering, clock, { others: 'leave' })
      const due = await earliestDue(metering.db)
      return due === null ? longestSleepMs : sleepUntil(due)
    },
    longestSleepMs,
    log,
  )
  return { ...loop, expect: (dueAt) => loop.wake(sleepUntil(dueAt)) }
}
