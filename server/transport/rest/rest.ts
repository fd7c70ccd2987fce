import cors from 'cors'
import express, { type Express } from 'express'
import helmet from 'helmet'
import type { Log } from '../../log.js'
import type { Services } from '../services.js'
import { creditRoutes } from './credits.js'
import { errorHandler, routeNotFound } from './errors.js'
import { authenticate, limitSellers } from './identity.js'
import { legacyRoutes } from './legacy.js'
import { livestreamRoutes } from './livestreams.js'
import { operationRoutes } from './operations.js'

/** The HTTP door: every route of SPEC.md's sections H and N. */
export function createRest(services: Services, corsOrigins: readonly string[], log: Log): Express {
  const app = express()
  app.set('etag', false)
  app.set('query parser', 'simple')
  app.use(helmet())
  app.use(operationRoutes(services))
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
