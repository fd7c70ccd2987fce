/** UTC milliseconds since the epoch. */
export type Instant = number

export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000

/** The last instant that a JavaScript date can hold (ECMAScript, "Time Values and Time Range"): the year 275760. */
export const LAST_INSTANT: Instant = 8_640_000_000_000_000

/** ISO 8601 in UTC with milliseconds and `Z`; instants past the last one are shown as the last one. */
export function toTimestamp(at: Instant): string {
  return new Date(Math.min(at, LAST_INSTANT)).toISOString()
}

/** Whole minutes, rounded down (H2). */
export function wholeMinutes(durationMs: number): number {
  return Math.floor(durationMs / MINUTE_MS)
}
