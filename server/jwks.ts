import { createPublicKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from './clock.js'
import { Refusal } from './domain/errors.js'
import { type Instant, MINUTE_MS, SECOND_MS } from './domain/instant.js'

/** How long a fetched set is used before it is fetched anew. A key that was withdrawn is forgotten after as long. */
export const FRESH_MS = 10 * MINUTE_MS
/** How long a set is used while no newer one can be fetched: a provider's short failure ends nobody's livestream. */
const USABLE_MS = 60 * MINUTE_MS
/** The least time between two fetches, so that tokens with made-up keys cannot turn this server against its provider. */
const COOLDOWN_MS = 5 * SECOND_MS
const TIMEOUT_MS = 5 * SECOND_MS

/**
 * The keys cannot be fetched, so it cannot be told whether a token is good. That is no fault of whoever sent it, hence
 * not a `Refusal`: the doors log it and answer as to any fault of the server's own.
 */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable'
}

interface FetchedKey {
  readonly kid: string | undefined
  readonly key: KeyObject
}

/** Finds the public key that a token's `kid` names, at once where it is at hand; without a `kid` the only key of the set. */
export type FindKey = (kid: string | undefined) => KeyObject | Promise<KeyObject>

/**
 * The public keys behind a JWKS address (RFC 7517), fetched when first needed. A `kid` that is not known has the set
 * fetched anew, so rotated keys are picked up at once.
 *
 * The set is cached here as a whole, and not by jwks-rsa, which caches and counts requests by `kid`: there, ten tokens a
 * minute with made-up keys use up its limit, and once the cached key is ten minutes old nobody gets in.
 *
 * @throws (from the finder) Refusal `token_invalid` where the set has no such key; KeysUnavailable
 */
export function fetchedKeys(url: string, clock: Clock): FindKey {
  let keys: readonly FetchedKey[] = []
  let fetchedAt: Instant = Number.NEGATIVE_INFINITY
  let triedAt: Instant = Number.NEGATIVE_INFINITY
  let failure: Error | null = null
  let underWay: Promise<void> | null = null

  // Whichever way a wall clock that was set has moved.
  const hasPassed = (ms: number, since: Instant) => Math.abs(clock.wallNow() - since) >= ms
  const find = (kid: string | undefined) =>
    kid === undefined && keys.length === 1 ? keys[0]?.key : keys.find((one) => one.kid === kid)?.key

  const fetchAnew = async (): Promise<void> => {
    triedAt = clock.wallNow()
    try {
      keys = await fetchKeys(url)
      fetchedAt = clock.wallNow()
      failure = null
    } catch (error) {
      failure = new KeysUnavailable(`The keys at ${url} cannot be fetched`, { cause: error })
    } finally {
      underWay = null
    }
  }
  const refresh = async (): Promise<void> => {
    if (!underWay && hasPassed(COOLDOWN_MS, triedAt)) underWay = fetchAnew()
    await underWay
  }

  const fetched = async (kid: string | undefined): Promise<KeyObject> => {
    await refresh()
    const key = find(kid)
    if (failure && (!key || hasPassed(USABLE_MS, fetchedAt))) throw failure
    if (!key) throw new Refusal('token_invalid', 'The token is signed with a key that is not known here')
    return key
  }

  return (kid) => {
    const known = find(kid)
    if (!known || hasPassed(USABLE_MS, fetchedAt)) return fetched(kid)
    // Fetched behind the back of whoever asks for this key.
    if (hasPassed(FRESH_MS, fetchedAt)) void refresh()
    return known
  }
}

async function fetchKeys(url: string): Promise<FetchedKey[]> {
  // Loaded only where it is used: it takes as long to load as half of the server.
  const { default: jwksRsa } = await import('jwks-rsa')
  const client = jwksRsa({ jwksUri: url, cache: false, fetcher: fetchSet })
  const keys = await client.getSigningKeys()
  return keys.map((one) => ({ kid: one.kid, key: createPublicKey(one.getPublicKey()) }))
}

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })

/** In place of jwks-rsa's own request, which never gives up on an answer that stops half way. */
async function fetchSet(url: string): Promise<z.infer<typeof keySet>> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok) throw new Error(`The answer is HTTP ${response.status}`)
  return keySet.parse(await response.json())
}
