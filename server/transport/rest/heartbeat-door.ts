import type { IncomingMessage, RequestListener } from 'node:http'
import type { ErrorRequestHandler, Request, Response } from 'express'
import { isLivestreamId } from '../../domain/livestream-id.js'
import type { Services } from '../services.js'
import { type Admission, identityOf } from './admission.js'
import { ignoredBody } from './body.js'
import { reply } from './reply.js'

export interface HeartbeatDoorParts {
  /** Express, which takes what is not plainly a heartbeat. */
  readonly otherwise: RequestListener
  readonly admit: Admission
  readonly refuse: ErrorRequestHandler
}

const HEARTBEAT = /^\/api\/livestreams\/(?:livestreams\/)?([\w-]+)\/heartbeat\/?(?:\?|$)/

/**
 * Answers heartbeats in front of Express, whose way to a route costs several times what is done there. Nearly all requests
 * are heartbeats, and of one form; other spellings of the path (in capitals, with escapes) are left to Express's own route, which
 * takes the same steps and calls the same service.
 */
export function heartbeatsFirst(
  { heartbeats }: Pick<Services, 'heartbeats'>,
  { otherwise, admit, refuse }: HeartbeatDoorParts,
): RequestListener {
  return (request, response) => {
    const livestreamId = livestreamOf(request)
    if (livestreamId === null) {
      otherwise(request, response)
      return
    }
    // Of all that Express adds, the steps before a route and the refusal use this alone.
    const res = Object.assign(response, { locals: {} }) as unknown as Response
    const req = request as Request
    const fail = (error: unknown): void => void refuse(error, req, res, () => response.destroy())
    const unless = (then: () => void) => (error?: unknown) => (error ? fail(error) : then())
    const record = (): void => {
      const by = identityOf(res)
      heartbeats.take(livestreamId, by, { resolve: (answer) => reply(res, answer), reject: fail })
    }
    admit(
      req,
      res,
      unless(() => ignoredBody(req, res, unless(record))),
    ).catch(fail)
  }
}

function livestreamOf({ method, url = '' }: IncomingMessage): string | null {
  if (method !== 'POST') return null
  const id = HEARTBEAT.exec(url)?.[1]
  return id !== undefined && isLivestreamId(id) ? id : null
}
