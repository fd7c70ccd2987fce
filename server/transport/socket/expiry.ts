import type { Clock } from '../../clock.js'
import type { Instant } from '../../domain/instant.js'
import { MINUTE_MS, SECOND_MS } from '../../domain/instant.js'

/** How long before its end a token is announced to expire; half of what is left where that is less. */
const NOTICE_MS = MINUTE_MS
/** Node keeps a list for each length of a timer: long ones are of whole steps first, so that thousands share a few. */
const STEP_MS = 10 * SECOND_MS
/** The longest timer that Node can hold, in whole steps; past that, one would fire at once. */
const LONGEST_TIMER_MS = Math.floor((2 ** 31 - 1) / STEP_MS) * STEP_MS

interface Hearer {
  expiring(expiresAt: Instant): void
  expired(): void
}

/** Watches a token on an open connection (P2): says when it is about to expire, and when it has. Goes by the wall clock. */
export class Expiry {
  readonly #clock: Clock
  readonly #hearer: Hearer
  #expiresAt: Instant = 0
  /** When the timer is to do something: the notice first, and then the end. */
  #nextAt: Instant = 0
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock, expiresAt: Instant, hearer: Hearer) {
    this.#clock = clock
    this.#hearer = hearer
    this.renew(expiresAt)
  }

  /** Starts anew for a renewed token. */
  renew(expiresAt: Instant): void {
    const leftMs = expiresAt - this.#clock.wallNow()
    this.#expiresAt = expiresAt
    this.#wakeAt(expiresAt - Math.min(NOTICE_MS, leftMs / 2))
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** One function for all timers: there are as many as connections. */
  static readonly #woken = (expiry: Expiry, isWhole: boolean): void => {
    if (!isWhole) expiry.#wakeAt(expiry.#nextAt)
    else if (expiry.#nextAt === expiry.#expiresAt) expiry.#hearer.expired()
    else {
      expiry.#hearer.expiring(expiry.#expiresAt)
      expiry.#wakeAt(expiry.#expiresAt)
    }
  }

  #wakeAt(instant: Instant): void {
    clearTimeout(this.#timer)
    this.#nextAt = instant
    const inMs = Math.max(0, instant - this.#clock.wallNow())
    const isWhole = inMs < STEP_MS
    const stepsMs = Math.min(Math.floor(inMs / STEP_MS) * STEP_MS, LONGEST_TIMER_MS)
    this.#timer = setTimeout(Expiry.#woken, isWhole ? inMs : stepsMs, this, isWhole)
  }
}
