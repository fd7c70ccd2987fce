import * as z from 'zod'

/** How many items a page has: 100 where nothing is said, 1,000 at most. */
export const pageLimit = z.coerce.number().int().min(1).max(1_000).default(100)

/** The cursor of a list that is newest first: only items with a smaller id. */
export const beforeId = z.coerce.number().int().min(1).default(Number.MAX_SAFE_INTEGER)
