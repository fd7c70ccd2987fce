import * as z from 'zod'

/** A number in a query string: digits alone, where `Number` would also take an empty text, `0x10` or `1e3`. */
function wholeNumber(least: number, most: number) {
  const rule = `must be a whole number from ${least} to ${most}`
  return z
    .string(rule)
    .regex(/^\d{1,16}$/, rule)
    .transform(Number)
    .pipe(z.number().min(least, rule).max(most, rule))
}

/** How many items a page has: 100 where nothing is said, 1,000 at most. */
export const pageLimit = wholeNumber(1, 1_000).default(100)

/** The cursor of a list that is newest first: only items with a smaller id. */
export const beforeId = wholeNumber(1, Number.MAX_SAFE_INTEGER).default(Number.MAX_SAFE_INTEGER)

/** The last sequence that was seen: only events past it. */
export const seenSeq = wholeNumber(0, Number.MAX_SAFE_INTEGER)

/** What a start divides the times of its policy by (P3). */
export const timeScale = wholeNumber(1, 1_000).default(1)
