import cors from 'cors'
import express, { type Express } from 'express'
import helmet from 'helmet'
import type { Log } from '../../log.js'
import type { Services } from '../services.js'
import { creditRoutes } from './credits.js'
import { developmentRoutes } from './development.js'
import { errorHandler, routeNotFound } from './errors.js'
import { authenticate, limitSellers } from './identity.js'
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
export function createRest(services: Services, { corsOrigins, development, log }: RestParts): Express {
  const app = express()
  app.set('etag', false)
  app.set('query parser', 'simple')
  // Plain HTTP on a machine's own network is fine; whoever adds TLS in front redirects there.
  app.use(
    helmet({
      contentSecurityPolicy: { directives: { 'upgrade-insecure-requests': null } },
      strictTransportSecurity: false,
    }),
  )
  app.use(operationRoutes(services))
  app.use(pageFiles())
  if (development) app.use('/dev', developmentRoutes(services))
  app.use(
    '/api',
    cors({
      origin: [...corsOrigins],
      allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key'],
      exposedHeaders: ['Retry-After'],
      maxAge: 600,
    }),
    authenticate(services.tokens),
    limitSellers(),
  )
  // The old server had its routes under a double prefix too.
  app.use('/api/livestreams/livestreams', legacyRoutes(services))
  app.use('/api/livestreams', legacyRoutes(services), livestreamRoutes(services))
  app.use('/api', creditRoutes(services))
  app.use(routeNotFound)
  app.use(errorHandler(log))
  return app
}
