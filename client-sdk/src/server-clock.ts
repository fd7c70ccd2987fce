import type { Timestamp } from '../protocol/index.js'

/** The server's time, as well as it can be told from here. Countdowns run on it, never on the page's own clock. */
export interface ServerClock {
  /** Milliseconds since the epoch by the server; by this machine until the server was heard. */
  now(): number
  /** A stopwatch of this page that nobody can set. */
  local(): number
  /**
   * Learns from an answer that carries the server's time.
   * @param askedAt `local()` when it was asked for
   * @returns how many milliseconds the server is ahead of `local()`
   */
  sync(serverTime: Timestamp, askedAt: number): number
}

export function createServerClock(): ServerClock {
  const local = () => performance.timeOrigin + performance.now()
  let offset: number | null = null
  return {
    local,
    now: () => local() + (offset ?? 0),
    sync(serverTime, askedAt) {
      const halfRoundTripMs = (local() - askedAt) / 2
      const measured = Date.parse(serverTime) - askedAt - halfRoundTripMs
      // What was known stays where this measurement agrees with it, so that nothing flickers.
      if (offset === null || Math.abs(measured - offset) > halfRoundTripMs + 1) offset = Math.round(measured)
      return offset
    },
  }
}
