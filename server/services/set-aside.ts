import { uptimeMs } from '../clock.js'
import { MINUTE_MS, SECOND_MS } from '../domain/instant.js'
import type { Log } from '../log.js'
import type { Unsettled } from './metering.js'

/** How long a seller who cannot be settled is left alone: at first, and at most. */
const FIRST_WAIT_MS = SECOND_MS
const LONGEST_WAIT_MS = MINUTE_MS

/**
 * The sellers whom a sweep cannot settle. Each is tried again after a wait that doubles, so that what stays due for ever
 * neither keeps the sweep awake nor takes each of its batches apart.
 */
export interface SetAside {
  /** Whom the next pass leaves alone. */
  now(): ReadonlySet<string>
  /** In how many milliseconds the first of them is to be tried again; endless where there is nobody. */
  againInMs(): number
  /** What a pass that left those alone could not settle. Who is new here is told to the log, and who is here no more. */
  passed(leftAlone: ReadonlySet<string>, unsettled: readonly Unsettled[]): void
}

export function createSetAside(log: Log): SetAside {
  const waiting = new Map<string, { until: number; waitMs: number }>()
  return {
    now() {
      const at = uptimeMs()
      return new Set([...waiting].filter(([, { until }]) => until > at).map(([sellerId]) => sellerId))
    },
    againInMs: () => Math.max(0, Math.min(...[...waiting.values()].map(({ until }) => until)) - uptimeMs()),
    passed(leftAlone, unsettled) {
      const still = new Set(unsettled.map(({ sellerId }) => sellerId))
      for (const { sellerId, why } of unsettled) {
        const before = waiting.get(sellerId)
        const waitMs = before ? Math.min(LONGEST_WAIT_MS, before.waitMs * 2) : FIRST_WAIT_MS
        waiting.set(sellerId, { until: uptimeMs() + waitMs, waitMs })
        if (!before) {
          const text =
            'this seller cannot be settled, trying again at least once a minute: `tallylight audit` may say what is wrong'
          log.error({ err: why, seller: sellerId }, text)
        }
      }
      for (const sellerId of waiting.keys()) {
        if (leftAlone.has(sellerId) || still.has(sellerId)) continue
        waiting.delete(sellerId)
        log.info({ seller: sellerId }, 'this seller can be settled again')
      }
    },
  }
}
