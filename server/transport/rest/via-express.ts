import { type RequestHandler, Router } from 'express'
import { identityOf } from './admission.js'
import { ignoredBody, jsonBody } from './body.js'
import { livestreamIdsOnly } from './livestream-ids.js'
import type { Route } from './route.js'

const ignored: RequestHandler = async (req, _res, next) => {
  await ignoredBody(req)
  next()
}
const READS: Record<Route['body'], RequestHandler[]> = { none: [], ignored: [ignored], json: [jsonBody] }

/** The routes of the API behind Express, which takes every way to spell a path. */
export function viaExpress(routes: readonly Route[]): Router {
  // The words of paths are in lower case only: `end/START` ends the livestream START, and starts nothing.
  const router = Router({ caseSensitive: true })
  router.param('id', livestreamIdsOnly)
  for (const { method, paths, body, answer } of routes) {
    router[method]([...paths], ...READS[body], (request, res) => {
      const { params, query, body: read } = request
      return answer({ by: identityOf(res), params, query, body: read, request }, res)
    })
  }
  return router
}
