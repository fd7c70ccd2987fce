import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'socket.io'

/** What Engine.IO 6.6 keeps for a WebSocket's handshake: it listens to the end of the connection, and so lives as long. */
interface Response {
  req?: IncomingMessage | null
}

/** What is left of all handshakes. */
const FORGOTTEN = Object.freeze({ headers: {}, auth: {} })

/**
 * Lets go of the requests that connections began with, of a browser's headers above all: nobody asks for them once a socket
 * is accepted. It leans on what Engine.IO holds where; where that is another
 * day elsewhere, more memory is used and nothing else happens.
 * @returns what is to be called with each socket once it is served
 */
export function forgetHandshakes(io: Pick<Server, 'engine'>): (socket: Socket) => void {
  /** By the connection's stream, since that of an upgrade from long-polling is known by nothing else. */
  const responses = new WeakMap<object, Response>()
  io.engine.use((request: IncomingMessage, response: Response, next: () => void) => {
    if (response.req === request) responses.set(request.socket, response)
    next()
  })

  function letGo(transport: unknown): void {
    const stream = (transport as { socket?: { _socket?: object } }).socket?._socket
    const response = stream && responses.get(stream)
    if (response) response.req = null
  }

  return (socket) => {
    letGo(socket.conn.transport)
    socket.conn.once('upgrade', letGo)
    Object.assign(socket.conn, { request: null })
    Object.assign(socket, { handshake: FORGOTTEN })
  }
}
