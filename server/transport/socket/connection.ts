import type { Socket } from 'socket.io'
import type { ErrorCode, ErrorDetails } from '../../../client-sdk/protocol/index.js'
import type { Clock } from '../../clock.js'
import { Refusal } from '../../domain/errors.js'
import { toTimestamp } from '../../domain/instant.js'
import type { Log } from '../../log.js'
import type { Dispatch, Subscriber } from '../../services/dispatch.js'
import type { Presence } from '../../services/presence.js'
import type { Identity } from '../../tokens.js'
import type { Services } from '../services.js'
import { type Expiry, watchExpiry } from './expiry.js'
import type { RequestHandler } from './requests.js'

export interface SocketParts {
  readonly services: Services
  readonly dispatch: Dispatch
  readonly presence: Presence
  readonly clock: Clock
  readonly log: Log
  readonly corsOrigins: readonly string[]
}

/** One seller's authenticated socket. */
export interface Connection {
  readonly socket: Socket
  identity: Identity
  readonly expiry: Expiry
  /** Null until the first successful `subscribe` (V3). */
  subscriber: Subscriber | null
}

interface Failure extends ErrorDetails {
  error: string
  code: ErrorCode
}

/**
 * Serves a socket until it disconnects.
 * @param track hears of every request, so that a graceful stop can wait for those under way
 */
export function serveConnection(
  socket: Socket,
  identity: Identity,
  { clock, dispatch, presence, log }: SocketParts,
  handlers: ReadonlyMap<string, RequestHandler>,
  track: (request: Promise<void>) => void,
): void {
  const expiry = watchExpiry(clock, identity.expiresAt, {
    expiring: (expiresAt) => socket.emit('token_expiring', { expires_at: toTimestamp(expiresAt) }),
    expired: disconnectExpired,
  })
  const connection: Connection = { socket, identity, expiry, subscriber: null }
  // What changes something comes in the order in which it was sent; a ping only waits for those before it.
  let changes: Promise<unknown> = Promise.resolve()
  let changing = 0

  function disconnectExpired(): void {
    socket.emit('request_error', { event: 'connection', error: 'The token has expired', code: 'token_expired' })
    socket.disconnect(true)
  }

  async function answer(event: string, payload: unknown): Promise<object> {
    const handler = handlers.get(event)
    if (!handler) {
      const known = [...handlers.keys()].join(', ')
      throw new Refusal('unknown_event', `There is no event of this name; a client sends ${known}`)
    }
    // A timer can be late, or the wall clock set: an expired token asks for nothing but its renewal.
    if (event !== 'renew' && connection.identity.expiresAt <= clock.wallNow()) {
      throw new Refusal('token_expired', 'The token has expired')
    }
    if (event === 'ping') {
      if (changing > 0) await changes
      return handler(connection, payload)
    }
    changing += 1
    const mine = changes
      .then(() => handler(connection, payload))
      .finally(() => {
        changing -= 1
      })
    changes = mine.catch(() => undefined)
    return mine
  }

  async function serve(event: string, args: unknown[]): Promise<void> {
    const last = args.at(-1)
    const ack = typeof last === 'function' ? (last as (answer: object) => void) : null
    try {
      const reply = await answer(event, args[0] === last && ack ? undefined : args[0])
      ack?.({ ok: true, ...reply })
    } catch (error) {
      const failure = describe(error, event)
      if (ack) ack({ ok: false, ...failure })
      else socket.emit('request_error', { event, ...failure })
    }
  }

  function describe(error: unknown, event: string): Failure {
    if (error instanceof Refusal) return { error: error.message, code: error.code, ...error.details }
    log.error({ err: error, seller: identity.sub, event }, 'socket request failed')
    return { error: 'Something went wrong here; it was logged', code: 'internal_error' }
  }

  presence.joined(identity.sub)
  log.debug({ seller: identity.sub, socket: socket.id }, 'socket connected')
  socket.onAny((event: string, ...args: unknown[]) => track(serve(event, args)))
  socket.on('disconnect', (reason) => {
    expiry.stop()
    if (connection.subscriber) dispatch.leave(identity.sub, connection.subscriber)
    presence.left(identity.sub)
    log.debug({ seller: identity.sub, socket: socket.id, reason }, 'socket disconnected')
  })
}
