import type { Instant } from './domain/instant.js'

/** Where the program's time comes from, handed to whatever needs it; tests move one by hand. */
export interface Clock {
  /** The program's time. It never runs backwards (SPEC.md, "Words"). */
  now(): Instant
  /** What the machine's wall clock shows, which may be set back; the expiry of tokens goes by it (P2). */
  wallNow(): Instant
}

/**
 * The machine's clock. Where the wall clock is set back, `now()` stands still until it has caught up.
 *
 * @param onHold called once for each time that the clock begins to stand still, with how far the wall clock is behind
 */
export function systemClock(onHold?: (behindMs: number) => void): Clock {
  let latest: Instant = Number.NEGATIVE_INFINITY
  let held = false
  return {
    now() {
      const wall = Date.now()
      if (wall >= latest) {
        latest = wall
        held = false
      } else if (!held) {
        held = true
        onHold?.(latest - wall)
      }
      return latest
    },
    wallNow: () => Date.now(),
  }
}

/** Milliseconds of this process's own stopwatch, which nobody can set: for the length of a wait, never for an instant. */
export function uptimeMs(): number {
  return performance.now()
}

const said = { second: Number.NaN, text: '' }

/** The machine's wall clock as the header `Date` says it (RFC 9110, section 5.6.7): put together once a second. */
export function httpDate(): string {
  const second = Math.floor(Date.now() / 1_000)
  if (second !== said.second) {
    said.second = second
    said.text = new Date(second * 1_000).toUTCString()
  }
  return said.text
}
