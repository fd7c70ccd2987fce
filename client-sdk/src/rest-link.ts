import { asMeterError, codeOf, fromServer } from './errors.js'
import type { LineParts, Link, LinkHooks, Questions } from './line.js'
import { ASK_MS } from './within.js'

/** What any question may carry. */
type Fields = { livestream_id?: string; after?: number; time_scale?: number }

const query = (name: string, value?: number) => (value === undefined ? '' : `?${name}=${value}`)

/** The routes that stand for the socket's events (SPEC.md, H and N). Each request shows its token, so none is renewed. */
const ROUTES: Record<string, (id: string, fields: Fields) => string> = {
  subscribe: (id, { after }) => `GET livestreams/${id}/snapshot/${query('after', after)}`,
  ping: (id) => `POST livestreams/${id}/heartbeat/`,
  start: (id, { time_scale }) => `PATCH livestreams/start/${id}/${query('time_scale', time_scale)}`,
  end: (id) => `PATCH livestreams/end/${id}/`,
  events: (_, { after }) => `GET events/${query('after', after)}&limit=500`,
}

/** A connection made of HTTP requests, for where sockets and long-polling are both refused. */
export function openRestLink({ base, tokens, pace, life }: LineParts, hooks: LinkHooks): Link {
  async function exchange(route: string, token: string): Promise<unknown> {
    const [method = '', path] = route.split(' ')
    const response = await fetch(`${base}/api/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([life, AbortSignal.timeout(ASK_MS * pace)]),
    })
    const body: unknown = await response.json().catch(() => null)
    if (response.ok && body) return body
    throw fromServer(body)
  }

  const link: Link = {
    via: 'rest',
    close() {},
    ask: <K extends keyof Questions>(kind: K, request: Questions[K][0]) => {
      const fields = request as Fields
      const route = ROUTES[kind]?.(encodeURIComponent(`${fields.livestream_id}`), fields) ?? ''
      const answer = tokens.use((token) => exchange(route, token))
      return answer.catch((error: unknown) => {
        if (codeOf(error) === 'network') hooks.down(link)
        throw asMeterError(error)
      }) as Promise<Questions[K][1]>
    },
  }
  return link
}
