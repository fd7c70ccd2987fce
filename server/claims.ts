import { z } from 'zod'
import { ROLES, type Role } from '../client-sdk/protocol/index.js'
import { Refusal } from './domain/errors.js'
import { type Instant, LAST_INSTANT, SECOND_MS } from './domain/instant.js'
import { SELLER_ID, SELLER_ID_RULE } from './domain/seller-id.js'

/** Who a verified token speaks for. */
export interface Identity {
  readonly sub: string
  readonly role: Role
  readonly expiresAt: Instant
}

/** The issuer and audience that a token must be for; null: not looked at. */
interface Expected {
  readonly issuer: string | null
  readonly audience: string | null
}

/** A NumericDate of RFC 7519: seconds since the epoch, parts allowed, and here within JavaScript's dates. */
function numericDate(name: string) {
  const lastSecond = LAST_INSTANT / SECOND_MS
  const message = `The token's ${name} is not a time in seconds since 1970`
  return z.number(message).min(-lastSecond, message).max(lastSecond, message)
}

// No message shows a value: what is in a token is its owner's, and of any length.
const claims = z.object(
  {
    sub: z
      .string('The token has no sub, or one that is not a text')
      .regex(SELLER_ID, `The token's sub is not ${SELLER_ID_RULE}`),
    role: z.enum(ROLES, `The token's role is none of ${ROLES.join(', ')}`).default('seller'),
    exp: numericDate('exp').optional(),
    nbf: numericDate('nbf').optional(),
    iss: z.unknown().optional(),
    aud: z.unknown().optional(),
  },
  'The token holds no claims',
)

/** The refusal of a token for a reason that no other code names. The text shows nothing of the token. */
export function invalidToken(message: string): Refusal {
  return new Refusal('token_invalid', message)
}

/**
 * Reads the claims of a token whose signature was verified. Expiry is told only of a token that is otherwise right.
 *
 * @param now by the wall clock (P2)
 * @throws Refusal `token_invalid`, `token_without_expiry`, `token_expired`
 */
export function readClaims(payload: unknown, { issuer, audience }: Expected, now: Instant): Identity {
  const { success, data, error } = claims.safeParse(payload)
  if (!success) throw invalidToken(error.issues[0]?.message ?? 'The token is not valid')
  const { sub, role, exp, nbf, iss, aud } = data
  if (issuer !== null && iss !== issuer) throw invalidToken('The token is from another issuer')
  if (audience !== null && ![aud].flat().includes(audience)) throw invalidToken('The token is for another audience')
  if (nbf !== undefined && nbf * SECOND_MS > now) throw invalidToken('The token is not valid yet')
  if (exp === undefined) throw new Refusal('token_without_expiry', 'The token never expires; it needs an exp')
  // Whole milliseconds, and never later than it says.
  const expiresAt = Math.floor(exp * SECOND_MS)
  if (expiresAt <= now) throw new Refusal('token_expired', 'The token has expired')
  return Object.freeze({ sub, role, expiresAt })
}
