import type { Clock } from '../../clock.js'
import type { Instant } from '../../domain/instant.js'
import { MINUTE_MS } from '../../domain/instant.js'

/** How long before its end a token is announced to expire; half of what is left where that is less. */
const NOTICE_MS = MINUTE_MS
/** The longest timer that Node can hold; past it, one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export interface Expiry {
  /** Starts anew for a renewed token. */
  renew(expiresAt: Instant): void
  stop(): void
}

/** Watches a token on an open connection (P2): says when it is about to expire, and when it has. Goes by the wall clock. */
export function watchExpiry(
  clock: Clock,
  firstExpiry: Instant,
  hear: { expiring: (expiresAt: Instant) => void; expired: () => void },
): Expiry {
  let timer: NodeJS.Timeout | undefined

  function at(instant: Instant, then: () => void): void {
    const inMs = Math.max(0, instant - clock.wallNow())
    timer = inMs > LONGEST_TIMER_MS ? setTimeout(at, LONGEST_TIMER_MS, instant, then) : setTimeout(then, inMs)
  }

  function watch(expiresAt: Instant): void {
    clearTimeout(timer)
    const leftMs = expiresAt - clock.wallNow()
    at(expiresAt - Math.min(NOTICE_MS, leftMs / 2), () => {
      hear.expiring(expiresAt)
      at(expiresAt, hear.expired)
    })
  }

  watch(firstExpiry)
  return { renew: watch, stop: () => clearTimeout(timer) }
}
