import type { Socket } from 'socket.io'
import {
  CLIENT_EVENTS,
  type ErrorCode,
  type ErrorDetails,
  type HeartbeatAnswer,
} from '../../../client-sdk/protocol/index.js'
import type { Clock } from '../../clock.js'
import { Refusal } from '../../domain/errors.js'
import { toTimestamp } from '../../domain/instant.js'
import type { Log } from '../../log.js'
import type { Dispatch, Subscriber } from '../../services/dispatch.js'
import type { Presence } from '../../services/presence.js'
import type { Waiter } from '../../services/waiter.js'
import type { Identity } from '../../tokens.js'
import { heartbeatMembers } from '../heartbeat-text.js'
import type { Services } from '../services.js'
import { Expiry } from './expiry.js'
import { takePlainPings } from './plain-pings.js'
import { acknowledge } from './ready-frames.js'
import type { Requests } from './requests.js'
import { Turns } from './turns.js'

export interface SocketParts {
  readonly services: Pick<Services, 'tokens' | 'livestreams' | 'heartbeats' | 'snapshots'>
  readonly dispatch: Dispatch
  readonly presence: Presence
  readonly clock: Clock
  readonly log: Log
  readonly corsOrigins: readonly string[]
}

/** What a graceful stop needs to know of all connections. */
export interface Gate {
  /** False once the server stops: what comes from then on is refused. */
  isOpen(): boolean
  /** Hears of every request, so that those under way can be waited for. */
  began(): void
  ended(): void
}

/** How a request is answered: by Socket.IO, by the number of a ping that was told from its text, or not at all. */
type Ack = ((answer: object) => void) | string | null

interface Failure extends ErrorDetails {
  error: string
  code: ErrorCode
}

/** One seller's authenticated socket, served until it disconnects. A class, for there are many of them. */
export class Connection {
  readonly expiry: Expiry
  /** Null until the first successful `subscribe` (V3). */
  subscriber: Subscriber | null = null
  readonly #turns = new Turns()

  constructor(
    readonly socket: Socket,
    public identity: Identity,
    readonly parts: SocketParts,
    readonly requests: Requests,
    readonly gate: Gate,
  ) {
    this.expiry = new Expiry(parts.clock, identity.expiresAt, this)
    parts.presence.joined(identity.sub)
    parts.log.debug({ seller: identity.sub, socket: socket.id }, 'socket connected')
    // Nothing listens behind this, which is why it never goes on.
    socket.use((packet) => this.#hear(packet))
    takePlainPings(socket, (livestreamId, ackId) => this.#hearPing(livestreamId, ackId))
    socket.on('disconnect', (reason) => this.#left(reason))
  }

  /** P2: said a while before. */
  expiring(expiresAt: number): void {
    this.socket.emit('token_expiring', { expires_at: toTimestamp(expiresAt) })
  }

  expired(): void {
    this.refused('connection', null, new Refusal('token_expired', 'The token has expired'))
    this.socket.disconnect(true)
  }

  /** Answers a request that failed: its acknowledgement where it asked for one, or else an event of its own. */
  refused(event: string, ack: Ack, error: unknown): void {
    const failure = this.#describe(event, error)
    if (ack === null) this.socket.emit('request_error', { event, ...failure })
    else this.acknowledge(ack, { ok: false, ...failure })
  }

  acknowledge(ack: Ack, answer: object): void {
    if (typeof ack === 'string') acknowledge(this.socket, ack, JSON.stringify(answer))
    else ack?.(answer)
  }

  pingEnded(): void {
    this.#turns.pingEnded()
    this.gate.ended()
  }

  #hear([event, ...args]: unknown[]): void {
    const name = String(event)
    const ack = typeof args.at(-1) === 'function' ? (args.pop() as (answer: object) => void) : null
    if (!this.#isAdmitted(name, args.length, ack)) return
    const [payload] = args
    const change = this.requests.changes.get(name)
    this.gate.began()
    if (change) void this.#change(name, () => change(this, payload), ack)
    else
      this.#turns.ping(() => this.#ping((reply) => this.requests.ping(this, this.requests.pinged(payload), reply), ack))
  }

  #hearPing(livestreamId: string, ackId: string): void {
    if (!this.#isAdmitted('ping', 1, ackId)) return
    this.gate.began()
    this.#turns.ping(() => this.#ping((reply) => this.requests.ping(this, livestreamId, reply), ackId))
  }

  #isAdmitted(event: string, payloads: number, ack: Ack): boolean {
    try {
      this.#admit(event, payloads)
      return true
    } catch (error) {
      this.refused(event, ack, error)
      return false
    }
  }

  /** @throws Refusal where nothing can be done for a request now, whatever it holds */
  #admit(event: string, payloads: number): void {
    if (!this.gate.isOpen()) throw new Refusal('server_draining', 'The server is stopping; connect again in a moment')
    if (event !== 'ping' && !this.requests.changes.has(event)) {
      const known = CLIENT_EVENTS.join(', ')
      throw new Refusal('unknown_event', `There is no event of this name; a client sends ${known}`)
    }
    // A timer can be late, or the wall clock set: an expired token asks for nothing but its renewal.
    if (event !== 'renew' && this.identity.expiresAt <= this.parts.clock.wallNow()) {
      throw new Refusal('token_expired', 'The token has expired')
    }
    if (payloads > 1) throw new Refusal('invalid_request', 'An event carries one payload')
  }

  #ping(start: (reply: PingReply) => void, ack: Ack): void {
    const reply = new PingReply(this, ack)
    try {
      start(reply)
    } catch (error) {
      reply.reject(error)
    }
  }

  async #change(event: string, work: () => Promise<object>, ack: Ack): Promise<void> {
    try {
      const answer = await this.#turns.change(work)
      this.acknowledge(ack, { ok: true, ...answer })
    } catch (error) {
      this.refused(event, ack, error)
    } finally {
      this.gate.ended()
    }
  }

  #describe(event: string, error: unknown): Failure {
    if (error instanceof Refusal) return { error: error.message, code: error.code, ...error.details }
    this.parts.log.error({ err: error, seller: this.identity.sub, event }, 'socket request failed')
    return { error: 'Something went wrong here; it was logged', code: 'internal_error' }
  }

  #left(reason: string): void {
    const { dispatch, presence, log } = this.parts
    const { sub } = this.identity
    this.expiry.stop()
    if (this.subscriber) dispatch.leave(sub, this.subscriber)
    presence.left(sub)
    log.debug({ seller: sub, socket: this.socket.id, reason }, 'socket disconnected')
  }
}

/** All that is kept for a ping while it is under way. */
class PingReply implements Waiter<HeartbeatAnswer> {
  constructor(
    readonly connection: Connection,
    readonly ack: Ack,
  ) {}

  resolve(answer: HeartbeatAnswer): void {
    const { connection, ack } = this
    connection.pingEnded()
    if (typeof ack === 'string') acknowledge(connection.socket, ack, `{"ok":true,${heartbeatMembers(answer)}}`)
    else connection.acknowledge(ack, { ok: true, ...answer })
  }

  reject(error: unknown): void {
    this.connection.pingEnded()
    this.connection.refused('ping', this.ack, error)
  }
}
