import { Router } from 'express'
import type { Services } from '../services.js'
import { reply } from './reply.js'

/** What operators' tools ask, from inside and without a token (SPEC.md, N). */
export function operationRoutes({ readiness, metrics }: Services): Router {
  const router = Router()
  router.get('/healthz', (_req, res) => {
    reply(res, { status: 'alive' })
  })
  router.get('/readyz', async (_req, res) => {
    const why = await readiness()
    if (why === null) reply(res, { status: 'ready' })
    else reply(res, { status: 'not_ready', reason: why }, 503)
  })
  router.get('/metrics', async (_req, res) => {
    res.type(metrics.contentType).send(await metrics.text())
  })
  return router
}
