import type { IncomingMessage, RequestListener } from 'node:http'
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { isLivestreamId } from '../../domain/livestream-id.js'
import type { Services } from '../services.js'
import { identityOf } from './identity.js'
import { reply } from './reply.js'

export interface HeartbeatDoorParts {
  /** Express, which takes what is not plainly a heartbeat. */
  readonly otherwise: RequestListener
  /** What it does before a route, in its order. */
  readonly before: readonly RequestHandler[]
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
  { otherwise, before, refuse }: HeartbeatDoorParts,
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
    inTurn(before, req, res, fail, () => {
      const by = identityOf(res)
      heartbeats.take(livestreamId, by, { resolve: (answer) => reply(res, answer), reject: fail })
    })
  }
}

function livestreamOf({ method, url = '' }: IncomingMessage): string | null {
  if (method !== 'POST') return null
  const id = HEARTBEAT.exec(url)?.[1]
  return id !== undefined && isLivestreamId(id) ? id : null
}

/** Runs middlewares one after the other, as Express does: one that fails says so, throws, or rejects. */
function inTurn(
  steps: readonly RequestHandler[],
  req: Request,
  res: Response,
  fail: (error: unknown) => void,
  done: () => void,
): void {
  const from = (index: number): void => {
    const step = steps[index]
    if (!step) {
      done()
      return
    }
    try {
      const running: unknown = step(req, res, (error?: unknown) => (error ? fail(error) : from(index + 1)))
      if (running instanceof Promise) running.catch(fail)
    } catch (error) {
      fail(error)
    }
  }
  from(0)
}
