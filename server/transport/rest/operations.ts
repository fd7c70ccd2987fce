import { Router } from 'express'
import type { Services } from '../services.js'

/** What operators' tools ask, from inside and without a token (SPEC.md, N). */
export function operationRoutes({ readiness, metrics }: Services): Router {
  const router = Router()
  router.get('/healthz', (_req, res) => {
    res.json({ status: 'alive' })
  })
  router.get('/readyz', async (_req, res) => {
    const why = await readiness()
    res.status(why === null ? 200 : 503).json(why === null ? { status: 'ready' } : { status: 'not_ready', reason: why })
  })
  router.get('/metrics', async (_req, res) => {
    res.type(metrics.contentType).send(await metrics.text())
  })
  return router
}
