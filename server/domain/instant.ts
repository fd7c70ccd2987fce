/** UTC milliseconds since the epoch. */
export type Instant = number

export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000

/** The last instant that a JavaScript date can hold (ECMAScript, "Time Values and Time Range"): the year 275760. */
export const LAST_INSTANT: Instant = 8_640_000_000_000_000

/**
 * ISO 8601 in UTC with milliseconds and `Z`; instants past the last one are shown as the last one. Put together from parts that are told
 * again and again: a deduction tells of three instants, a snapshot of seven, and a date takes a microsecond for each.
 */
export function toTimestamp(at: Instant): string {
  const shown = Math.min(at, LAST_INSTANT)
  const minute = Math.floor(shown / MINUTE_MS)
  const second = SECONDS[Math.floor((shown - minute * MINUTE_MS) / SECOND_MS)]
  const millisecond = MILLISECONDS[shown - Math.floor(shown / SECOND_MS) * SECOND_MS]
  // Of what is no whole number, and so of no known part, a date tells itself.
  if (second === undefined || millisecond === undefined) return new Date(shown).toISOString()
  return `${startOf(minute)}${second}${millisecond}`
}

const SECONDS = Array.from({ length: 60 }, (_, second) => String(second).padStart(2, '0'))
const MILLISECONDS = Array.from({ length: SECOND_MS }, (_, millisecond) => `.${String(millisecond).padStart(3, '0')}Z`)

/** The minutes that were told last, each in the slot of its last bits. */
const MINUTES = 64
const minutes: number[] = []
const starts: string[] = []

/** A minute as `2026-02-03T04:05:`. */
function startOf(minute: number): string {
  const slot = minute & (MINUTES - 1)
  const known = starts[slot]
  if (known !== undefined && minutes[slot] === minute) return known
  const start = new Date(minute * MINUTE_MS).toISOString().slice(0, -'00.000Z'.length)
  minutes[slot] = minute
  starts[slot] = start
  return start
}

/** Whole minutes, rounded down (H2). */
export function wholeMinutes(durationMs: number): number {
  return Math.floor(durationMs / MINUTE_MS)
}
