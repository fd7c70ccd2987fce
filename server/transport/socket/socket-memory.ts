import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'socket.io'

/** What Engine.IO 6.6 keeps for a WebSocket's handshake: it listens to the end of the connection, and so lives as long. */
interface Response {
  req?: IncomingMessage | null
}

/** What is left of all handshakes. */
const FORGOTTEN = Object.freeze({ headers: {}, auth: {} })
/** Nobody is asked to acknowledge anything: one map for all, and an empty one for ever. */
const NO_ACKS: ReadonlyMap<number, unknown> = new Map()

/**
 * Lets go of what sockets hold and nobody asks for once they are accepted: the requests that they began with, a browser's
 * headers above all; their rooms, which nothing is sent to; and what would wait for acknowledgements. It leans on what
 * Engine.IO and Socket.IO hold where; where that is another day elsewhere, more memory is used and nothing else happens.
 * @returns what is to be called with each socket once it is served
 */
export function slimSockets(io: Pick<Server, 'engine'>): (socket: Socket) => void {
  /** By the connection's stream, since that of an upgrade from long-polling is known by nothing else. */
  const responses = new WeakMap<object, Response>()
  io.engine.use((request: IncomingMessage, response: Response, next: () => void) => {
    if (response.req === request) responses.set(request.socket, response)
    next()
  })

  function letGo(transport: unknown): void {
    const stream = (transport as { socket?: { _socket?: object } }).socket?._socket
    const response = stream && responses.get(stream)
    if (!response) return
    response.req = null
    responses.delete(stream)
  }

  return (socket) => {
    onWebSocket(socket, letGo)
    Object.assign(socket.conn, { request: null })
    Object.assign(socket, { handshake: FORGOTTEN, acks: NO_ACKS })
    socket.nsp.adapter.delAll(socket.id)
  }
}

/** Calls `then` with the transport of a socket once it is a WebSocket: at once, or after an upgrade. */
export function onWebSocket({ conn }: Pick<Socket, 'conn'>, then: (transport: unknown) => void): void {
  if (conn.transport.name === 'websocket') then(conn.transport)
  else conn.once('upgrade', then)
}
