import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { parse as parseQuery } from 'node:querystring'
import { isLivestreamId } from '../../domain/livestream-id.js'
import type { Identity } from '../../tokens.js'
import { leaveUnread } from '../unread-body.js'
import type { Admit } from './admission.js'
import { ignoredBody, tellsLength } from './body.js'
import type { Refuse } from './errors.js'
import type { Asked, Route } from './route.js'

export interface PlainFirstParts {
  /** Express, which takes what is not plain. */
  readonly otherwise: RequestListener
  readonly admit: Admit
  readonly refuse: Refuse
}

/** A path of a route as nearly everybody spells it. */
interface PlainPath {
  readonly route: Route
  readonly pattern: RegExp
}

/**
 * Answers plain requests in front of Express, whose way to a route costs more than most of what is done there. Plain is a
 * path of the table in lower case and without escapes, and a route that reads no JSON; everything else is left to Express, which has the
 * same table, and takes the same steps.
 */
export function plainFirst(routes: readonly Route[], { otherwise, admit, refuse }: PlainFirstParts): RequestListener {
  const byMethod = plainPaths(routes)

  /** Mostly there is nothing to wait for: neither that a token is checked, nor that a body is read. */
  function take(route: Route, id: string | undefined, req: IncomingMessage, res: ServerResponse): void {
    if (route.body === 'none' || tellsLength(req)) leaveUnread(req)
    try {
      const by = admit(req, res)
      if (by instanceof Promise) {
        follow(
          by.then((identity) => answer(route, id, identity, req, res)),
          req,
          res,
        )
      } else answer(route, id, by, req, res)
    } catch (error) {
      refuse(error, req, res)
    }
  }

  function answer(
    route: Route,
    id: string | undefined,
    by: Identity,
    request: IncomingMessage,
    res: ServerResponse,
  ): void {
    const asked: Asked = { by, params: { id }, query: queryOf(request.url ?? ''), body: undefined, request }
    const reading = route.body === 'ignored' ? ignoredBody(request) : null
    const answering = reading === null ? route.answer(asked, res) : reading.then(() => route.answer(asked, res))
    if (answering instanceof Promise) follow(answering, request, res)
  }

  function follow(answering: Promise<void>, req: IncomingMessage, res: ServerResponse): void {
    answering.catch((error: unknown) => refuse(error, req, res))
  }

  return (req, res) => {
    for (const { route, pattern } of byMethod.get(req.method ?? '') ?? []) {
      const found = pattern.exec(req.url ?? '')
      if (!found) continue
      const [, id] = found
      if (id !== undefined && !isLivestreamId(id)) break
      take(route, id, req, res)
      return
    }
    otherwise(req, res)
  }
}

/** By HTTP method, in the order of the table. */
function plainPaths(routes: readonly Route[]): Map<string, PlainPath[]> {
  const byMethod = new Map<string, PlainPath[]>()
  for (const route of routes) {
    if (route.body === 'json') continue
    const method = route.method.toUpperCase()
    const plain = route.paths.map((path) => ({ route, pattern: patternOf(path) }))
    byMethod.set(method, [...(byMethod.get(method) ?? []), ...plain])
  }
  return byMethod
}

function patternOf(path: string): RegExp {
  return new RegExp(`^/api${path.replace(':id', '([\\w-]+)')}/?(?:\\?|$)`)
}

const NO_QUERY: Asked['query'] = Object.freeze({})

function queryOf(url: string): Asked['query'] {
  const at = url.indexOf('?')
  return at < 0 ? NO_QUERY : parseQuery(url.slice(at + 1))
}
