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

/** What a graceful stop needs to know of all connections. */
export interface Gate {
  /** False once the server stops: what comes from then on is refused. */
  isOpen(): boolean
  /** Hears of every request, so that those under way can be waited for. */
  track(request: Promise<void>): void
}

/** Serves a socket until it disconnects. */
export function serveConnection(
  socket: Socket,
  identity: Identity,
  { clock, dispatch, presence, log }: SocketParts,
  handlers: ReadonlyMap<string, RequestHandler>,
  gate: Gate,
): void {
  const expiry = watchExpiry(clock, identity.expiresAt, {
    expiring: (expiresAt) => socket.emit('token_expiring', { expires_at: toTimestamp(expiresAt) }),
    expired: disconnectExpired,
  })
  const connection: Connection = { socket, identity, expiry, subscriber: null }
  // Everything is done in the order in which it was sent; only pings do not wait for each other.
  let changes: Promise<unknown> = Promise.resolve()
  let changing = 0
  const pings = new Set<Promise<object>>()

  function disconnectExpired(): void {
    socket.emit('request_error', { event: 'connection', error: 'The token has expired', code: 'token_expired' })
    socket.disconnect(true)
  }

  async function answer(event: string, payloads: readonly unknown[]): Promise<object> {
    if (!gate.isOpen()) throw new Refusal('server_draining', 'The server is stopping; connect again in a moment')
    const handler = handlers.get(event)
    if (!handler) {
      const known = [...handlers.keys()].join(', ')
      throw new Refusal('unknown_event', `There is no event of this name; a client sends ${known}`)
    }
    // A timer can be late, or the wall clock set: an expired token asks for nothing but its renewal.
    if (event !== 'renew' && connection.identity.expiresAt <= clock.wallNow()) {
      throw new Refusal('token_expired', 'The token has expired')
    }
    if (payloads.length > 1) throw new Refusal('invalid_request', 'An event carries one payload')
    const [payload] = payloads
    if (event === 'ping') {
      const mine = changing > 0 ? changes.then(() => handler(connection, payload)) : handler(connection, payload)
      const done = (): boolean => pings.delete(mine)
      pings.add(mine)
      mine.then(done, done)
      return mine
    }
    changing += 1
    const mine = Promise.all([changes, Promise.allSettled(pings)])
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
      const reply = await answer(event, ack ? args.slice(0, -1) : args)
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
  socket.onAny((event: string, ...args: unknown[]) => gate.track(serve(event, args)))
  socket.on('disconnect', (reason) => {
    expiry.stop()
    if (connection.subscriber) dispatch.leave(identity.sub, connection.subscriber)
    presence.left(identity.sub)
    log.debug({ seller: identity.sub, socket: socket.id, reason }, 'socket disconnected')
  })
}
