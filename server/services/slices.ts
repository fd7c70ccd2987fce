import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { uptimeMs } from '../clock.js'
import type { Db } from '../store/database.js'
import { checkpointSeldom, holdsEventLoop } from '../store/dialect.js'

/** The most due runs that one transaction of a pass settles; where it holds the event loop, the time is what limits it first. */
export const LARGEST_BATCH = 500
/** Where a transaction holds the event loop: how many the first settles, and the fewest, since each commit waits for the disk. */
const FIRST_BATCH = 32
const SMALLEST_BATCH = 16
/** How long one should hold it: while requests come now and then, and while none do. */
const SHORT_BATCH_MS = 3
const LONG_BATCH_MS = 25
const NOW_AND_THEN_MS = 1_000

/** How much a pass does at a time. */
export interface Slices {
  /** How many runs its next transaction settles at most. */
  readonly limit: number
  /** Lets others have the event loop after a transaction that took so long. */
  afterOne(tookMs: number): Promise<void>
  /** To be called when the pass is over, whatever came of it. */
  end(): void
}

/**
 * Where statements do not hold the event loop, slices are as large as they may be. Elsewhere they are as long as requests allow:
 * short while some come, and then those get as long as the last slice took.
 * @param othersWait whether requests wait that need the event loop
 */
export function startSlices(db: Db, othersWait: () => boolean): Slices {
  if (!holdsEventLoop(db)) {
    return {
      limit: LARGEST_BATCH,
      async afterOne() {
        await setImmediate()
      },
      end: () => undefined,
    }
  }
  let limit = FIRST_BATCH
  let waitedAt = Number.NEGATIVE_INFINITY
  return {
    get limit() {
      return limit
    },
    async afterOne(tookMs) {
      await setImmediate()
      const wait = othersWait()
      if (wait) waitedAt = uptimeMs()
      const isQuiet = uptimeMs() - waitedAt >= NOW_AND_THEN_MS
      checkpointSeldom(db, isQuiet)
      limit = nextLimit(limit, tookMs, isQuiet ? LONG_BATCH_MS : SHORT_BATCH_MS)
      if (wait) await sleep(Math.min(tookMs, LONG_BATCH_MS))
    },
    end: () => checkpointSeldom(db, false),
  }
}

/** Where so many took so long: how many take as long as a batch should, but twice as many at most. */
function nextLimit(runs: number, tookMs: number, shouldMs: number): number {
  const wanted = Math.min(runs * 2, Math.floor((runs * shouldMs) / tookMs))
  return Math.max(SMALLEST_BATCH, Math.min(LARGEST_BATCH, wanted))
}
