import type { PolicyView } from '../protocol/index.js'

/** How long things take, in milliseconds. */
export interface Timing {
  /** Until a connection attempt is given up. */
  readonly connectMs: number
  /** Until a single request is given up, and its connection with it. */
  readonly askMs: number
  /** Until `start`, `end` or `ping` is given up, reconnects included. */
  readonly actMs: number
  readonly getTokenMs: number
  /** Between two attempts to renew the token, where getToken fails. */
  readonly renewMs: number
  /** Between two looks for events over REST. */
  readonly pollMs: number
  /** Between two attempts to get back from REST to a socket. */
  readonly socketRetryMs: number
  /** A connection that held for so long starts its next backoff from the beginning. */
  readonly steadyMs: number
  /** Between two signs of life of a shared connection's leader; replaced after three without. */
  readonly probeMs: number
}

export const TIMING: Timing = {
  connectMs: 10_000,
  askMs: 10_000,
  actMs: 30_000,
  getTokenMs: 10_000,
  renewMs: 5_000,
  pollMs: 5_000,
  socketRetryMs: 60_000,
  steadyMs: 10_000,
  probeMs: 1_500,
}

/** The longest timer that a browser can hold; past it, one would fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

const FIRST_BACKOFF_MS = 500
const LONGEST_BACKOFF_MS = 20_000
/** Full jitter can come out at 0: this keeps a server that hangs up at once from being called in a tight loop. */
const SHORTEST_BACKOFF_MS = 100

/**
 * How long to wait before attempt `n` = 0, 1, 2, …: full jitter, anything up to 0.5 s × 2^n, at most 20 s.
 * @param random from 0 to 1
 */
export function backoffMs(n: number, random: number = Math.random()): number {
  return Math.max(SHORTEST_BACKOFF_MS, random * Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** n))
}

/** What is wished for, held between a fifth of the policy's warning time and all of it; half of it where nothing is. */
export function pingIntervalMs(wishedMs: number | undefined, { inactivity_warning_ms }: PolicyView): number {
  const wished = wishedMs ?? inactivity_warning_ms / 2
  return Math.min(inactivity_warning_ms, Math.max(inactivity_warning_ms / 5, wished))
}

/** A page that is shown, hidden and shown again says only once that it is there. */
export const PINGS_APART_MS = 1_000

export interface PingState {
  /** A run is live, and the server can be reached. */
  readonly live: boolean
  readonly activity: 'page' | 'interaction' | 'manual'
  /** Whether there was interaction since the last ping. */
  readonly interacted: boolean
  readonly lastPingAt: number
  readonly intervalMs: number
}

/**
 * How long to wait before the next automatic ping; null for none, until something changes.
 * @param urgent a reconnect, or a page that is seen again: does not wait for the interval
 */
export function nextPingMs(state: PingState, now: number, urgent: boolean): number | null {
  const { live, activity, interacted, lastPingAt, intervalMs } = state
  if (!live || activity === 'manual' || (activity === 'interaction' && !interacted)) return null
  if (urgent && now - lastPingAt >= PINGS_APART_MS) return 0
  return Math.min(LONGEST_TIMER_MS, Math.max(0, lastPingAt + intervalMs - now))
}
