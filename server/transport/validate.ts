import * as z from 'zod'
import { Refusal } from '../domain/errors.js'
import { isLivestreamId, LIVESTREAM_ID_RULE } from '../domain/livestream-id.js'
import { SELLER_ID } from '../domain/seller-id.js'

export const livestreamId = z.string().refine(isLivestreamId, `must be ${LIVESTREAM_ID_RULE}`)
export const sellerId = z.string().regex(SELLER_ID, 'must be 1 to 128 letters, digits or any of _ . @ : | + ~ -')

/** A text of people. PostgreSQL holds every character but NUL. */
export const plainText = z
  .string()
  .max(500, 'at most 500 characters')
  .refine((text) => !text.includes('\0'), 'must not hold the character NUL')

/**
 * What came from outside, as the schema says it must be.
 * @throws Refusal `invalid_request`, naming the first field that does not fit (P5, H1)
 */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  // JSON can carry `__proto__` as a key of its own, which schemas do not see: nothing of ours is ever called that.
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__')) {
    throw new Refusal('invalid_request', '__proto__: unknown field', { field: '__proto__' })
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const field = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])].join('.')
  const problem = unknown === undefined ? issue?.message : 'unknown field'
  throw new Refusal('invalid_request', field ? `${field}: ${problem}` : `${problem}`, field ? { field } : {})
}
