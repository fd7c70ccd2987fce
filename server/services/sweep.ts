import { type Clock, uptimeMs } from '../clock.js'
import type { Instant } from '../domain/instant.js'
import type { Outcome } from '../domain/outcome.js'
import type { Log } from '../log.js'
import { type DueOptions, earliestDue, PASS_BEGIN } from '../store/due.js'
import { lastStamp } from '../store/stamps.js'
import { type Loop, startLoop } from './loop.js'
import type { Metering, Unsettled } from './metering.js'
import { createSetAside } from './set-aside.js'
import { startSlices } from './slices.js'

/** The shortest sleep between two passes. */
const SHORTEST_SLEEP_MS = 20

export interface PassOptions {
  /** Hears what was done to each seller, after it is committed. */
  readonly onOutcome?: (outcome: Outcome) => void
  /** Hears at the end of sellers who could not be settled. Without it the pass throws, then. */
  readonly onUnsettled?: (unsettled: readonly Unsettled[]) => void
  readonly others?: DueOptions['others']
  readonly except?: DueOptions['except']
  /** Whether requests wait that need the event loop: batches are short then, and they get as long as the last one held it. */
  readonly othersWait?: () => boolean
  /** Once it is aborted, the batch under way is the last. */
  readonly signal?: AbortSignal
}

const NOBODY: ReadonlySet<string> = new Set()
const never = () => false

/**
 * One pass: settles every seller that has something due, batch by batch, and lets other work in between. Where nothing
 * is due it is one look at an index. When it is over and nobody has stopped it, nothing that was due is left, but for the
 * sellers whom another sweep settles at the same time where those are left to it, and for those whose rows are broken.
 */
export async function sweepOnce(
  metering: Metering,
  clock: Clock,
  {
    onOutcome,
    onUnsettled = throwUnsettled,
    others = 'wait',
    except = NOBODY,
    othersWait = never,
    signal,
  }: PassOptions = {},
): Promise<void> {
  const unsettled: Unsettled[] = []
  const due = await earliestDue(metering.db, except)
  if (due !== null && due <= Math.max(clock.now(), (await lastStamp(metering.db)) ?? 0)) {
    const slices = startSlices(metering.db, othersWait)
    try {
      for (let position = PASS_BEGIN; !signal?.aborted; ) {
        const beganAt = uptimeMs()
        const pass = await metering.settleDue(position, slices.limit, { others, except })
        const tookMs = uptimeMs() - beganAt
        if (onOutcome) for (const outcome of pass.outcomes) onOutcome(outcome)
        unsettled.push(...pass.unsettled)
        if (!pass.more) break
        position = pass.position
        await slices.afterOne(tookMs)
      }
    } finally {
      slices.end()
    }
  }
  onUnsettled(unsettled)
}

function throwUnsettled(unsettled: readonly Unsettled[]): void {
  if (unsettled.length === 0) return
  const told = unsettled.map(({ sellerId, why }) => `${sellerId}: ${why.message}`)
  throw new Error(`These sellers cannot be settled: ${told.join('; ')}`)
}

export interface Sweep extends Loop {
  /** Tells the sweep of a due instant that is sooner than it may know. */
  expect(dueAt: Instant): void
}

/**
 * Sweeps until it is stopped: between passes it sleeps until the earliest due instant, at most `longestSleepMs`, since
 * another process can start a run that this one has not heard of.
 */
export function startSweep(
  metering: Metering,
  clock: Clock,
  longestSleepMs: number,
  log: Log,
  othersWait: () => boolean = never,
): Sweep {
  const sleepUntil = (dueAt: Instant) => Math.min(longestSleepMs, Math.max(SHORTEST_SLEEP_MS, dueAt - clock.now()))
  const setAside = createSetAside(log)
  const loop = startLoop(
    'sweep',
    async (signal) => {
      const except = setAside.now()
      const onUnsettled = (unsettled: readonly Unsettled[]) => setAside.passed(except, unsettled)
      await sweepOnce(metering, clock, { others: 'leave', except, onUnsettled, othersWait, signal })
      const due = await earliestDue(metering.db, setAside.now())
      const sleepMs = due === null ? longestSleepMs : sleepUntil(due)
      return Math.min(sleepMs, Math.max(SHORTEST_SLEEP_MS, setAside.againInMs()))
    },
    longestSleepMs,
    log,
  )
  return { ...loop, expect: (dueAt) => loop.wake(sleepUntil(dueAt)) }
}
