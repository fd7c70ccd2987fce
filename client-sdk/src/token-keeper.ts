import { codeOf, MeterError } from './errors.js'
import { ASK_MS, within } from './within.js'

/** Keeps the token for as long as the server takes it. */
export interface TokenKeeper {
  /** @param fresh asks the page for another though there is one at hand */
  get(fresh?: boolean): Promise<string>
  /** Tries with such a token, and once more with a fresh one where the server says that it has expired. */
  use<T>(attempt: (token: string) => Promise<T>, fresh?: boolean): Promise<T>
}

export function createTokenKeeper(
  getToken: () => string | Promise<string>,
  pace: number,
  life: AbortSignal,
): TokenKeeper {
  let token: Promise<string> | null = null

  async function ask(): Promise<string> {
    try {
      const given: unknown = await getToken()
      if (given && typeof given === 'string') return given
    } catch (error) {
      throw new MeterError('get_token_failed', `getToken: ${error}`)
    }
    throw new MeterError('get_token_failed', 'getToken gave no new token')
  }

  function get(fresh?: boolean): Promise<string> {
    if (fresh || !token) {
      const late = () => new MeterError('get_token_timeout', 'getToken does not answer')
      token = within(ASK_MS * pace, life, ask(), late)
      token.catch(() => {
        token = null
      })
    }
    return token
  }

  return {
    get,
    async use(attempt, fresh) {
      try {
        return await attempt(await get(fresh))
      } catch (error) {
        if (codeOf(error) !== 'token_expired') throw error
        return attempt(await get(true))
      }
    },
  }
}
