import type { Address } from './address.js'
import { asMeterError, fromServer, lost } from './errors.js'
import type { Ask, Link, LinkHooks, Questions } from './line.js'
import type { TokenKeeper } from './token-keeper.js'
import { within } from './within.js'

/** What any question may carry. */
type Fields = { livestream_id?: string; after?: number; time_scale?: number }

const query = (name: string, value?: number) => (value === undefined ? '' : `?${name}=${value}`)

/** The routes that stand for the socket's events (SPEC.md, H and N). Each request shows its token, so none is renewed. */
const ROUTES: Record<string, (id: string, fields: Fields) => string> = {
  subscribe: (id, { after }) => `GET livestreams/${id}/snapshot/${query('after', after)}`,
  ping: (id) => `POST livestreams/${id}/heartbeat/`,
  start: (id, { time_scale }) => `PATCH livestreams/start/${id}/${query('time_scale', time_scale)}`,
  end: (id) => `PATCH livestreams/end/${id}/`,
  events: (_, { after }) => `GET events/?limit=500&after=${after}`,
}

/** Asks over plain HTTP, a request each. */
export function createRest({ origin, path }: Address, tokens: TokenKeeper, limitMs: number, life: AbortSignal): Ask {
  async function exchange(route: string, token: string, signal: AbortSignal): Promise<unknown> {
    const [method = '', where] = route.split(' ')
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(`${origin}${path}/api/${where}`, { method, headers, cache: 'no-store', signal })
    const body: unknown = await response.json().catch(() => null)
    if (response.ok && body) return body
    // A gateway says in its own words that the server behind it is away.
    throw response.status < 500 || Object(body).code ? fromServer(body) : lost(response.status)
  }

  return <K extends keyof Questions>(kind: K, request: Questions[K][0]) =>
    tokens.use(async (token) => {
      const fields = request as Fields
      const route = ROUTES[kind]?.(encodeURIComponent(`${fields.livestream_id}`), fields) ?? ''
      const giveUp = new AbortController()
      try {
        const answer = exchange(route, token, giveUp.signal)
        return (await within(limitMs, life, answer, () => lost('timeout'))) as Questions[K][1]
      } catch (error) {
        throw asMeterError(error)
      } finally {
        giveUp.abort()
      }
    })
}

/** A connection made of requests, for where sockets and long-polling are both refused. */
export function openRestLink(rest: Ask, hooks: LinkHooks): Link {
  const link: Link = {
    via: 'rest',
    close() {},
    ask: (kind, request) =>
      rest(kind, request).catch((error: unknown) => {
        if (asMeterError(error).code === 'network') hooks.down(link)
        throw error
      }),
  }
  return link
}
