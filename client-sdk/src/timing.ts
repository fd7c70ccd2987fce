import type { PolicyView } from '../protocol/index.js'

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

/** A page that is shown, hidden and shown again does not ping each time. */
const PINGS_APART_MS = 1_000

/** What automatic pings are decided by. */
export interface PingFacts {
  /** A run is live, and the server can be reached. */
  readonly live: boolean
  readonly activity: 'page' | 'interaction' | 'manual'
  readonly intervalMs: number
}

/**
 * How long to wait before the next automatic ping; null for none, until something changes.
 * @param sinceMs how long ago the last one was
 * @param interacted whether there was interaction since then
 * @param urgent since the last one there was a reconnect, or the page was seen again: does not wait for the interval
 */
export function nextPingMs(facts: PingFacts, sinceMs: number, interacted: boolean, urgent: boolean): number | null {
  const { live, activity, intervalMs } = facts
  if (!live || activity === 'manual' || (activity === 'interaction' && !interacted)) return null
  const apartMs = urgent ? Math.min(PINGS_APART_MS, intervalMs) : intervalMs
  return Math.min(LONGEST_TIMER_MS, Math.max(0, apartMs - sinceMs))
}
