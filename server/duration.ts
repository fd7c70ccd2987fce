import ms from 'ms'

type DurationText = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

// `ms` alone takes too much: '1y' is 365.25 days, '5' is 5 ms, '.5w' and '-1h' are fine by it. At most three decimals, and
// none of a millisecond, make every duration a whole number of milliseconds.
const DURATION = /^(?:\d{1,12}(?:\.\d{1,3})?[smhd]|\d{1,15}ms)$/

function isDuration(text: string): text is DurationText {
  return DURATION.test(text)
}

/** What a duration looks like, for the error that says so. */
export const DURATION_RULE = 'a number with a unit (ms, s, m, h or d), such as 90s'

/**
 * Reads a duration: a number, not negative, directly followed by `ms`, `s`, `m`, `h` or `d` (a day is 24 hours). Parts
 * are fine down to three decimals (`1.5h`), except of a millisecond. `0` needs no unit.
 *
 * @returns whole milliseconds, or null where the text is anything else
 */
export function parseDuration(text: string): number | null {
  if (text === '0') return 0
  return isDuration(text) ? Math.round(ms(text)) : null
}
