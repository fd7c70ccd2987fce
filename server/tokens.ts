import type { KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { z } from 'zod'
import type { Role } from '../client-sdk/protocol/index.js'
import { type Identity, invalidToken, readClaims } from './claims.js'
import type { Clock } from './clock.js'
import { Refusal, SetupError } from './domain/errors.js'
import { type Instant, LAST_INSTANT, SECOND_MS } from './domain/instant.js'
import { SELLER_ID, SELLER_ID_RULE } from './domain/seller-id.js'
import { type FindKey, FRESH_MS, fetchedKeys } from './jwks.js'
import type { Algorithm, TokenKeys } from './jwt-config.js'

export type { Identity } from './claims.js'

export interface TokenRequest {
  readonly sub: string
  readonly role: Role
  /** How long the token is good for, in milliseconds; rounded up to a whole second. */
  readonly ttlMs: number
}

export interface Tokens {
  /**
   * Tells who a token speaks for: at once, unless a key has to be fetched for it. One that was verified before is remembered until
   * it expires, and costs next to nothing.
   *
   * @throws Refusal `token_missing` where it is empty; `token_expired`; `token_without_expiry`; `token_invalid` for
   * everything else, with a text that says what is wrong and shows nothing of the token
   * @throws KeysUnavailable (jwks.ts) where the keys have to be fetched, and cannot be
   */
  verify(token: string): Identity | Promise<Identity>

  /** The same for who says a token once, as a socket does: it is not remembered for that. */
  verifyOnce(token: string): Identity | Promise<Identity>

  /**
   * Makes a token, for the issuer and the audience that are configured.
   *
   * @throws SetupError where there is no secret to sign with, or where `verify` would not take the token
   */
  sign(request: TokenRequest): string
}

const LONGEST_TOKEN = 8_192
const MOST_REMEMBERED = 10_000
const MOST_HEADERS = 100

/** Verifies and signs tokens by `keys`. Their expiry goes by the wall clock (P2). */
export function createTokens(keys: TokenKeys, clock: Clock): Tokens {
  const memory = createMemory()
  const findKey = keyFinder(keys, clock)
  const algorithms = [...keys.algorithms]
  const identityIn = (token: string, key: KeyObject): Identity =>
    readClaims(payloadOf(token, key, algorithms), keys, clock.wallNow())

  function check(token: string): Identity | Promise<Identity> {
    if (token === '') throw missingToken()
    if (token.length > LONGEST_TOKEN) throw invalidToken(`The token is longer than ${LONGEST_TOKEN} characters`)
    const key = findKey(token)
    return key instanceof Promise ? key.then((fetched) => identityIn(token, fetched)) : identityIn(token, key)
  }

  function remember(token: string, identity: Identity): Identity {
    // A fetched key can be withdrawn, so its signatures are looked at again.
    memory.remember(token, identity, keys.kind === 'jwks' ? clock.wallNow() + FRESH_MS : LAST_INSTANT)
    return identity
  }

  const recall = (token: string): Identity | null => memory.recall(token, clock.wallNow())
  return {
    verifyOnce: (token) => recall(token) ?? check(token),
    verify(token) {
      const known = recall(token)
      if (known) return known
      const identity = check(token)
      return identity instanceof Promise
        ? identity.then((checked) => remember(token, checked))
        : remember(token, identity)
    },
    sign: (request) => signed(request, keys, clock.wallNow()),
  }
}

/**
 * The token in an `Authorization` header: `Bearer <token>`, or `Token <token>` as old pages send it (H3).
 *
 * @throws Refusal `token_missing` where there is none, `token_invalid` where the header is something else
 */
export function bearerToken(header: string | undefined): string {
  const [scheme = '', token = '', ...rest] = (header ?? '').trim().split(/ +/)
  const isKnown = /^(?:bearer|token)$/i.test(scheme)
  if (scheme === '' || (isKnown && token === '')) throw missingToken()
  if (isKnown && rest.length === 0) return token
  throw invalidToken('The Authorization header is not of the form: Bearer <token>')
}

function missingToken(): Refusal {
  return new Refusal('token_missing', 'A token is needed')
}

/**
 * The tokens that were used last, so that a signature is checked once and not at every request. In two generations: what was
 * not used since the younger began goes with the older, and one that is used again and again costs one look.
 */
function createMemory() {
  let younger = new Map<string, Remembered>()
  let older = new Map<string, Remembered>()

  function put(token: string, remembered: Remembered): void {
    if (younger.size >= MOST_REMEMBERED / 2) {
      older = younger
      younger = new Map()
    }
    younger.set(token, remembered)
  }

  return {
    recall(token: string, now: Instant): Identity | null {
      const young = younger.get(token)
      const found = young ?? older.get(token)
      if (!found || now >= found.until) return null
      if (!young) put(token, found)
      return found.identity
    },
    remember(token: string, identity: Identity, checkAgainAt: Instant): void {
      put(token, { identity, until: Math.min(identity.expiresAt, checkAgainAt) })
    },
  }
}

interface Remembered {
  readonly identity: Identity
  readonly until: Instant
}

/** Makes the function that finds the key by which a token says to be signed. */
function keyFinder(keys: TokenKeys, clock: Clock): (token: string) => KeyObject | Promise<KeyObject> {
  const findKey: FindKey = keys.kind === 'jwks' ? fetchedKeys(keys.url, clock) : () => keys.key
  /** Headers as they are written; an issuer has one for each key. */
  const kidOf = new Map<string, string | undefined>()

  function kidIn(token: string): string | undefined {
    const written = token.slice(0, token.indexOf('.'))
    if (kidOf.has(written)) return kidOf.get(written)
    const { kid } = readHeader(token, keys.algorithms)
    if (kidOf.size >= MOST_HEADERS) kidOf.clear()
    kidOf.set(written, kid)
    return kid
  }

  return (token) => findKey(kidIn(token))
}

/** The payload of a token that is signed as it should be; its claims are not looked at. */
function payloadOf(token: string, key: KeyObject, algorithms: Algorithm[]): unknown {
  try {
    // The claims are read by readClaims: jsonwebtoken knows no clock but its own.
    return jwt.verify(token, key, { algorithms, ignoreExpiration: true, ignoreNotBefore: true })
  } catch {
    // Says so where there is more wrong with it.
    readHeader(token, algorithms)
    throw invalidToken('The signature of the token is wrong')
  }
}

// RFC 7515, 4.1.11: a token with critical extensions is refused by whoever does not know them, and none is known here.
const header = z.object({ alg: z.string(), kid: z.string().optional(), crit: z.never().optional() })

/** Looks at a token before any key is fetched for it. */
function readHeader(token: string, algorithms: readonly Algorithm[]): { kid?: string | undefined } {
  const { success, data } = header.safeParse(decoded(token)?.header)
  if (!success) throw invalidToken('The token is garbled')
  if (data.alg.toLowerCase() === 'none') throw invalidToken('The token is not signed')
  if (algorithms.some((name) => name === data.alg)) return data
  throw invalidToken(`The token is signed by another algorithm than ${algorithms.join(', ')}`)
}

function decoded(token: string): jwt.Jwt | null {
  try {
    return jwt.decode(token, { complete: true })
  } catch {
    // The error would show a part of the token.
    return null
  }
}

function signed({ sub, role, ttlMs }: TokenRequest, keys: TokenKeys, now: Instant): string {
  if (keys.kind !== 'secret') throw new SetupError('Signing a token needs JWT_SECRET')
  if (!SELLER_ID.test(sub)) throw new SetupError(`A seller id is ${SELLER_ID_RULE}`)
  const iat = Math.floor(now / SECOND_MS)
  const exp = Math.ceil((now + ttlMs) / SECOND_MS)
  if (!(ttlMs > 0 && exp * SECOND_MS <= LAST_INSTANT))
    throw new SetupError('A token needs an end, and a later one than now')
  const aimed = {
    ...(keys.issuer !== null && { iss: keys.issuer }),
    ...(keys.audience !== null && { aud: keys.audience }),
  }
  return jwt.sign({ sub, role, iat, exp, ...aimed }, keys.key, { algorithm: keys.algorithms[0] })
}
