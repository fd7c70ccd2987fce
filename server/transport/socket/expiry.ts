import type { Clock } from '../../clock.js'
import type { Instant } from '../../domain/instant.js'
import { MINUTE_MS } from '../../domain/instant.js'

/** How long before its end a token is announced to expire; half of what is left where that is less. */
const NOTICE_MS = MINUTE_MS
/** The longest timer that Node can hold; past it, one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

interface Hearer {
  expiring(expiresAt: Instant): void
  expired(): void
}

/** Watches a token on an open connection (P2): says when it is about to expire, and when it has. Goes by the wall clock. */
export class Expiry {
  readonly #clock: Clock
  readonly #hearer: Hearer
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock, expiresAt: Instant, hearer: Hearer) {
    this.#clock = clock
    this.#hearer = hearer
    this.renew(expiresAt)
  }

  /** Starts anew for a renewed token. */
  renew(expiresAt: Instant): void {
    clearTimeout(this.#timer)
    const leftMs = expiresAt - this.#clock.wallNow()
    this.#at(expiresAt - Math.min(NOTICE_MS, leftMs / 2), () => {
      this.#hearer.expiring(expiresAt)
      this.#at(expiresAt, () => this.#hearer.expired())
    })
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #at(instant: Instant, then: () => void): void {
    const inMs = Math.max(0, instant - this.#clock.wallNow())
    this.#timer =
      inMs > LONGEST_TIMER_MS ? setTimeout(() => this.#at(instant, then), LONGEST_TIMER_MS) : setTimeout(then, inMs)
  }
}
