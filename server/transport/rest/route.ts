import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Identity } from '../../tokens.js'

/** A request that is admitted, and whose body is read. */
export interface Asked {
  readonly by: Identity
  /** What the path names. `id` is the form of a livestream's id. */
  readonly params: Readonly<Record<string, unknown>>
  readonly query: Readonly<Record<string, unknown>>
  /** Undefined where the route reads none. */
  readonly body: unknown
  readonly request: IncomingMessage
}

/** A route of the API: it parses, calls a service and replies, whichever way a request comes to it (via-express.ts, plain-first.ts). */
export interface Route {
  readonly method: 'get' | 'post' | 'patch'
  /** Below `/api`, in Express's words; all are the same route, with and without a last slash. */
  readonly paths: readonly string[]
  readonly body: 'none' | 'ignored' | 'json'
  /**
   * Resolves when it has replied; returns nothing where it replies, or refuses, when it can.
   * @throws Refusal which is answered as H1 says
   */
  answer(asked: Asked, res: ServerResponse): Promise<void> | void
}

/** The same routes under a prefix. */
export function below(prefix: string, routes: readonly Route[]): Route[] {
  return routes.map((route) => ({ ...route, paths: route.paths.map((path) => `${prefix}${path}`) }))
}

/** The livestream that the path names. */
export function idOf({ params }: Asked): string {
  return String(params['id'])
}
