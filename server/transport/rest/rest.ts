import type { RequestListener } from 'node:http'
import express, { type ErrorRequestHandler } from 'express'
import type { Log } from '../../log.js'
import type { Services } from '../services.js'
import { admission, admitted } from './admission.js'
import { answerHeaders } from './answer-headers.js'
import { creditRoutes } from './credits.js'
import { developmentRoutes } from './development.js'
import { createRefuse, routeNotFound } from './errors.js'
import { legacyRoutes } from './legacy.js'
import { livestreamRoutes } from './livestreams.js'
import { operationRoutes } from './operations.js'
import { pageFiles } from './page.js'
import { plainFirst } from './plain-first.js'
import { below } from './route.js'
import { viaExpress } from './via-express.js'

export interface RestParts {
  readonly corsOrigins: readonly string[]
  /** Whether the seller page may sign in as anybody, and take credits for nothing. */
  readonly development: boolean
  readonly log: Log
}

/** The HTTP door: every route of SPEC.md's sections H and N. */
export function createRest(services: Services, { corsOrigins, development, log }: RestParts): RequestListener {
  const headers = answerHeaders(corsOrigins)
  const admit = admission(services.tokens, headers)
  const refuse = createRefuse(log)
  // Express tells it from a route by its four parameters.
  const refusing: ErrorRequestHandler = (error, req, res, _next) => refuse(error, req, res)
  const legacy = legacyRoutes(services, refuse)
  const routes = [
    // The old server had its routes under a double prefix too.
    ...below('/livestreams/livestreams', legacy),
    ...below('/livestreams', [...legacy, ...livestreamRoutes(services)]),
    ...creditRoutes(services),
  ]

  const app = express()
  app.set('etag', false)
  app.set('query parser', 'simple')
  app.disable('x-powered-by')
  app.use('/api', admitted(admit, headers), viaExpress(routes), routeNotFound)
  app.use(headers.onAll)
  if (development) app.use('/dev', developmentRoutes(services))
  // Last: it looks on the disk for whatever is asked.
  app.use(operationRoutes(services), pageFiles())
  app.use(routeNotFound)
  app.use(refusing)
  return plainFirst(routes, { otherwise: app, admit, refuse })
}
