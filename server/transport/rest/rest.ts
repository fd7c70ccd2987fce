import type { RequestListener } from 'node:http'
import express from 'express'
import type { Log } from '../../log.js'
import type { Services } from '../services.js'
import { admission } from './admission.js'
import { answerHeaders } from './answer-headers.js'
import { creditRoutes } from './credits.js'
import { developmentRoutes } from './development.js'
import { errorHandler, routeNotFound } from './errors.js'
import { heartbeatsFirst } from './heartbeat-door.js'
import { legacyRoutes } from './legacy.js'
import { livestreamRoutes } from './livestreams.js'
import { operationRoutes } from './operations.js'
import { pageFiles } from './page.js'

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
  const refuse = errorHandler(log)

  const app = express()
  app.set('etag', false)
  app.set('query parser', 'simple')
  app.disable('x-powered-by')
  app.use('/api', admit)
  // The old server had its routes under a double prefix too.
  app.use('/api/livestreams/livestreams', legacyRoutes(services))
  app.use('/api/livestreams', legacyRoutes(services), livestreamRoutes(services))
  app.use('/api', creditRoutes(services), routeNotFound)
  app.use(headers.onAll)
  if (development) app.use('/dev', developmentRoutes(services))
  // Last: it looks on the disk for whatever is asked.
  app.use(operationRoutes(services), pageFiles())
  app.use(routeNotFound)
  app.use(refuse)
  return heartbeatsFirst(services, { otherwise: app, admit, refuse })
}
