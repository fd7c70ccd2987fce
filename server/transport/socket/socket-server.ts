import type { Server as HttpServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DefaultEventsMap, Server, type Socket } from 'socket.io'
import type { ConnectRefusal } from '../../../client-sdk/protocol/index.js'
import { permissionDenied, Refusal } from '../../domain/errors.js'
import { SECOND_MS } from '../../domain/instant.js'
import type { Identity } from '../../tokens.js'
import { parse } from '../validate.js'
import { Connection, type Gate, type SocketParts } from './connection.js'
import { allowPollingFrom } from './cross-origin.js'
import { sendWithFirstPacket } from './first-packet.js'
import type { Nodes } from './nodes.js'
import { createNudges } from './nudges.js'
import { isOriginAllowed } from './origins.js'
import { sparePlainHandshakes } from './plain-handshakes.js'
import { acknowledgeAtOnce, sendReadyFrames } from './ready-frames.js'
import { createRequests } from './requests.js'
import { handshakeAuth } from './schemas.js'
import { slimSockets } from './socket-memory.js'

const LARGEST_PAYLOAD_BYTES = 16 * 1024
const AUTHENTICATE_WITHIN_MS = 5 * SECOND_MS
/** Over how long the clients of a server that stops come back. */
const RECONNECT_SPREAD_MS = 5 * SECOND_MS
/** How long closing waits for clients to take what was sent to them last. */
const FLUSH_WITHIN_MS = SECOND_MS

export interface SocketServer {
  /** Tells the other servers that a seller has events up to a sequence: one message for all that one turn tells. */
  nudge(sellerId: string, seq: number): void
  /** Takes no new connections and requests, tells the open ones, and resolves when what they asked is answered. */
  drain(): Promise<void>
  /** Disconnects everybody, once what was sent to them is on its way, and closes the HTTP server. */
  close(): Promise<void>
}

/** The socket door: one namespace, a token in the handshake, the events of SPEC.md's sections P and S. */
export function createSocketServer(http: HttpServer, parts: SocketParts, { adapter }: Nodes): SocketServer {
  const { services, corsOrigins, log } = parts
  let draining = false
  let underWay = 0
  let whenAllEnded: (() => void) | null = null
  const io = new Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, { identity: Identity }>(http, {
    serveClient: false,
    ...(adapter && { adapter }),
    maxHttpBufferSize: LARGEST_PAYLOAD_BYTES,
    connectTimeout: AUTHENTICATE_WITHIN_MS,
    allowRequest(request, decide) {
      if (draining) decide('server_draining', false)
      else if (isOriginAllowed(request, corsOrigins)) {
        sendWithFirstPacket(request)
        decide(null, true)
      } else decide('origin_not_allowed', false)
    },
  })

  sparePlainHandshakes(http, io.path())
  allowPollingFrom(corsOrigins, http, io.path())

  io.engine.on('connection', (conn: Socket['conn']) => {
    sendReadyFrames(conn)
    // Engine.IO gives a polling client that is to be closed 30 s to come for the news, and keeps the process alive as long.
    if (conn.transport.name === 'polling') Object.assign(conn.transport, { closeTimeout: FLUSH_WITHIN_MS })
  })

  /** Null where there is nothing to wait for, as nearly always. */
  function admit(socket: { handshake: { auth: unknown }; data: { identity: Identity } }): Promise<void> | null {
    const take = (identity: Identity): void => {
      // E1: a socket meters its own seller's livestreams, and there is nothing else to do on it.
      if (identity.role !== 'seller') throw permissionDenied()
      socket.data.identity = identity
    }
    const by = services.tokens.verifyOnce(parse(handshakeAuth, socket.handshake.auth).token)
    if (by instanceof Promise) return by.then(take)
    take(by)
    return null
  }
  io.use((socket, next) => {
    const refused = (error: unknown): void => {
      if (!(error instanceof Refusal)) log.error({ err: error }, 'handshake failed')
      next(refuse(error))
    }
    let admitting: Promise<void> | null
    try {
      admitting = admit(socket)
    } catch (error) {
      refused(error)
      return
    }
    if (admitting !== null) admitting.then(() => next(), refused)
    else next()
  })

  const requests = createRequests(parts)
  const nudges = createNudges(io, parts.dispatch, log)
  const gate: Gate = {
    isOpen: () => !draining,
    began() {
      underWay += 1
    },
    ended() {
      underWay -= 1
      if (underWay === 0) whenAllEnded?.()
    },
  }
  const slim = slimSockets(http)
  io.on('connection', (socket) => {
    const { identity } = socket.data
    slim(socket)
    acknowledgeAtOnce(socket)
    new Connection(socket, identity, parts, requests, gate)
  })

  return {
    nudge: adapter ? nudges.add : () => undefined,
    async drain() {
      draining = true
      for (const socket of io.sockets.sockets.values()) {
        const reconnectAfterMs = Math.round(500 + Math.random() * RECONNECT_SPREAD_MS)
        socket.emit('server_draining', { reconnect_after_ms: reconnectAfterMs })
      }
      if (underWay > 0) {
        await new Promise<void>((resolve) => {
          whenAllEnded = resolve
        })
      }
    },
    async close() {
      // Engine.IO's own closing drops what is not sent yet, and so would the last answers be (A6).
      const flushed = Promise.all([...io.sockets.sockets.values()].map(flushAndClose))
      await Promise.race([flushed, sleep(FLUSH_WITHIN_MS, undefined, { ref: false })])
      await io.close()
    },
  }
}

/** Resolves when a connection is closed; nothing more is read from it, and what waits to be sent goes out first. */
function flushAndClose({ conn }: Pick<Socket, 'conn'>): Promise<void> {
  return new Promise((resolve) => {
    conn.once('close', () => resolve())
    conn.close()
  })
}

/** P1: a refused connection says why. */
function refuse(error: unknown): Error & { data: ConnectRefusal } {
  const refusal =
    error instanceof Refusal ? error : new Refusal('internal_error', 'Something went wrong here; it was logged')
  return Object.assign(new Error(refusal.message), { data: { error: refusal.message, code: refusal.code } })
}
