import { Router } from 'express'
import * as z from 'zod'
import type { Services } from '../services.js'
import { parse } from '../validate.js'
import { identityOf } from './admission.js'
import { ignoredBody } from './body.js'
import { livestreamIdsOnly } from './livestream-ids.js'
import { timeScale } from './query.js'
import { reply } from './reply.js'

const startQuery = z.object({ time_scale: timeScale })

/** The routes that frontends of the old server call (SPEC.md, H). Their bodies are ignored. */
export function legacyRoutes({ livestreams, heartbeats, lookups }: Services): Router {
  // The words of these routes are in lower case only: `end/START` ends the livestream START, and starts nothing.
  const router = Router({ caseSensitive: true })
  router.param('id', livestreamIdsOnly)

  router.get('/credit-monitor/status', async (_req, res) => {
    reply(res, await lookups.monitorStatus(identityOf(res)))
  })
  router.post('/:id/heartbeat', ignoredBody, async (req, res) => {
    reply(res, await heartbeats.record(idOf(req.params), identityOf(res)))
  })
  router.post('/:id/check_credits', ignoredBody, async (req, res) => {
    reply(res, await livestreams.check(idOf(req.params), identityOf(res)))
  })
  router.patch(['/start/:id', '/:id/start'], ignoredBody, async (req, res) => {
    // What else a query string says is ignored (H).
    const { time_scale } = parse(startQuery, { time_scale: req.query['time_scale'] })
    reply(res, await livestreams.start(idOf(req.params), identityOf(res), time_scale))
  })
  router.patch(['/end/:id', '/:id/end'], ignoredBody, async (req, res) => {
    reply(res, await livestreams.end(idOf(req.params), identityOf(res)))
  })
  return router
}

function idOf(params: Record<string, string | string[] | undefined>): string {
  return String(params['id'])
}
