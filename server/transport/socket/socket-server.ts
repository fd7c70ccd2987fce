import type { Server as HttpServer } from 'node:http'
import { type DefaultEventsMap, Server } from 'socket.io'
import type { ConnectRefusal } from '../../../client-sdk/protocol/index.js'
import { permissionDenied, Refusal } from '../../domain/errors.js'
import { SECOND_MS } from '../../domain/instant.js'
import type { Identity } from '../../tokens.js'
import { parse } from '../validate.js'
import { type SocketParts, serveConnection } from './connection.js'
import { isOriginAllowed } from './origins.js'
import { requestHandlers } from './requests.js'
import { handshakeAuth } from './schemas.js'

const LARGEST_PAYLOAD_BYTES = 16 * 1024
const AUTHENTICATE_WITHIN_MS = 5 * SECOND_MS
/** Over how long the clients of a server that stops come back. */
const RECONNECT_SPREAD_MS = 5 * SECOND_MS

export interface SocketServer {
  /** Takes no new connections, tells the open ones, and resolves when what they asked is answered. */
  drain(): Promise<void>
  /** Disconnects everybody and closes the HTTP server. */
  close(): Promise<void>
}

/** The socket door: one namespace, a token in the handshake, the events of SPEC.md's sections P and S. */
export function createSocketServer(http: HttpServer, parts: SocketParts): SocketServer {
  const { services, corsOrigins, log } = parts
  const underWay = new Set<Promise<void>>()
  let draining = false
  const io = new Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, { identity: Identity }>(http, {
    serveClient: false,
    maxHttpBufferSize: LARGEST_PAYLOAD_BYTES,
    connectTimeout: AUTHENTICATE_WITHIN_MS,
    cors: { origin: [...corsOrigins] },
    allowRequest(request, decide) {
      if (draining) decide('server_draining', false)
      else if (isOriginAllowed(request, corsOrigins)) decide(null, true)
      else decide('origin_not_allowed', false)
    },
  })

  async function admit(socket: { handshake: { auth: unknown }; data: { identity: Identity } }): Promise<void> {
    const { token } = parse(handshakeAuth, socket.handshake.auth)
    const identity = await services.tokens.verify(token)
    // E1: a socket meters its own seller's livestreams, and there is nothing else to do on it.
    if (identity.role !== 'seller') throw permissionDenied()
    socket.data.identity = identity
  }
  io.use((socket, next) => {
    admit(socket).then(
      () => next(),
      (error: unknown) => {
        if (!(error instanceof Refusal)) log.error({ err: error }, 'handshake failed')
        next(refuse(error))
      },
    )
  })

  const handlers = requestHandlers(parts)
  io.on('connection', (socket) => {
    serveConnection(socket, socket.data.identity, parts, handlers, (request) => {
      underWay.add(request)
      void request.finally(() => underWay.delete(request))
    })
  })

  return {
    async drain() {
      draining = true
      for (const socket of io.sockets.sockets.values()) {
        const reconnectAfterMs = Math.round(500 + Math.random() * RECONNECT_SPREAD_MS)
        socket.emit('server_draining', { reconnect_after_ms: reconnectAfterMs })
      }
      while (underWay.size > 0) await Promise.all(underWay)
    },
    async close() {
      await io.close()
    },
  }
}

/** P1: a refused connection says why. */
function refuse(error: unknown): Error & { data: ConnectRefusal } {
  const refusal =
    error instanceof Refusal ? error : new Refusal('internal_error', 'Something went wrong here; it was logged')
  return Object.assign(new Error(refusal.message), { data: { error: refusal.message, code: refusal.code } })
}
