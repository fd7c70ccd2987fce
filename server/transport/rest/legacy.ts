import type { IncomingMessage, ServerResponse } from 'node:http'
import * as z from 'zod'
import type { HeartbeatAnswer } from '../../../client-sdk/protocol/index.js'
import type { Waiter } from '../../services/waiter.js'
import { heartbeatMembers } from '../heartbeat-text.js'
import type { Services } from '../services.js'
import { parse } from '../validate.js'
import type { Refuse } from './errors.js'
import { timeScale } from './query.js'
import { reply, replyText } from './reply.js'
import { idOf, type Route } from './route.js'

const startQuery = z.object({ time_scale: timeScale })

/** The routes that frontends of the old server call (SPEC.md, H). Their bodies are ignored. */
export function legacyRoutes({ livestreams, heartbeats, lookups }: Services, refuse: Refuse): Route[] {
  return [
    {
      method: 'get',
      paths: ['/credit-monitor/status'],
      body: 'none',
      answer: async ({ by }, res) => reply(res, await lookups.monitorStatus(by)),
    },
    {
      method: 'post',
      paths: ['/:id/heartbeat'],
      body: 'ignored',
      answer(asked, res) {
        heartbeats.take(idOf(asked), asked.by, new HeartbeatReply(asked.request, res, refuse))
      },
    },
    {
      method: 'post',
      paths: ['/:id/check_credits'],
      body: 'ignored',
      answer: async (asked, res) => reply(res, await livestreams.check(idOf(asked), asked.by)),
    },
    {
      method: 'patch',
      paths: ['/start/:id', '/:id/start'],
      body: 'ignored',
      async answer(asked, res) {
        // What else a query string says is ignored (H).
        const { time_scale } = parse(startQuery, { time_scale: asked.query['time_scale'] })
        reply(res, await livestreams.start(idOf(asked), asked.by, time_scale))
      },
    },
    {
      method: 'patch',
      paths: ['/end/:id', '/:id/end'],
      body: 'ignored',
      answer: async (asked, res) => reply(res, await livestreams.end(idOf(asked), asked.by)),
    },
  ]
}

/** All that is kept for a heartbeat while it is under way. */
class HeartbeatReply implements Waiter<HeartbeatAnswer> {
  constructor(
    readonly req: IncomingMessage,
    readonly res: ServerResponse,
    readonly refuse: Refuse,
  ) {}

  resolve(answer: HeartbeatAnswer): void {
    replyText(this.res, `{${heartbeatMembers(answer)}}`)
  }

  reject(error: unknown): void {
    this.refuse(error, this.req, this.res)
  }
}
