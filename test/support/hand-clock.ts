import type { Clock } from '../../server/clock.js'
import type { Instant } from '../../server/domain/instant.js'

export interface HandClock extends Clock {
  /** Sets the wall clock. Set back, `now()` stands still until it has caught up, as the system's clock does. */
  set(instant: Instant): void
  /** Moves the wall clock by so many milliseconds; a negative number sets it back. */
  advance(ms: number): void
}

/** A clock that stands still until a test moves it. */
export function handClock(start: Instant = Date.UTC(2026, 0, 1)): HandClock {
  let wall = start
  let latest = start
  const set = (instant: Instant): void => {
    wall = instant
    latest = Math.max(latest, instant)
  }
  return {
    now: () => latest,
    wallNow: () => wall,
    set,
    advance: (ms) => set(wall + ms),
  }
}
