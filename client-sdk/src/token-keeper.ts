import { asMeterError, MeterError } from './errors.js'
import type { ServerClock } from './server-clock.js'
import { within } from './within.js'

/** Keeps the token, and asks the page for another before it expires. */
export interface TokenKeeper {
  /** @param fresh asks for another though the one at hand is still good */
  get(fresh?: boolean): Promise<string>
  /** Tries with such a token, and once more with a fresh one where the server says that it has expired. */
  use<T>(attempt: (token: string) => Promise<T>, fresh?: boolean): Promise<T>
}

/** A token that expires sooner is not worth showing. */
const SHORTEST_LEFT_MS = 5_000

/** What a token says of itself, unverified: that is the server's part. Empty where it cannot be read. */
export function claimsOf(token: string): { sub?: unknown; exp?: unknown } {
  try {
    const [, payload = ''] = token.split('.')
    return Object(JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/'))))
  } catch {
    return {}
  }
}

export function createTokenKeeper(
  getToken: () => string | Promise<string>,
  clock: ServerClock,
  limitMs: number,
  life: AbortSignal,
): TokenKeeper {
  let token = ''
  let expiresAt = 0
  let asking: Promise<string> | null = null

  async function ask(): Promise<string> {
    const late = () => new MeterError('get_token_timeout', 'getToken does not answer')
    const call = async () => {
      try {
        return await getToken()
      } catch (error) {
        throw new MeterError('get_token_failed', `getToken: ${error}`)
      }
    }
    const given: unknown = await within(limitMs, life, call(), late)
    if (typeof given !== 'string' || given === '') throw new MeterError('get_token_failed', 'getToken gave no token')
    token = given
    expiresAt = Number(claimsOf(token).exp ?? Infinity) * 1000
    return token
  }

  function get(fresh = false): Promise<string> {
    if (!fresh && expiresAt - clock.now() > SHORTEST_LEFT_MS) return Promise.resolve(token)
    asking ??= ask().finally(() => {
      asking = null
    })
    return asking
  }

  return {
    get,
    async use(attempt, fresh) {
      try {
        return await attempt(await get(fresh))
      } catch (error) {
        if (asMeterError(error).code !== 'token_expired') throw error
        return attempt(await get(true))
      }
    },
  }
}
