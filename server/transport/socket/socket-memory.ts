import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'socket.io'

/** What is left of all handshakes. */
const FORGOTTEN = Object.freeze({ headers: {}, auth: {} })
const NO_DATA = Object.freeze({})
/** Nobody is asked to acknowledge anything: one map for all, and an empty one for ever. */
const NO_ACKS: ReadonlyMap<number, unknown> = new Map()

/** The listeners by which Engine.IO 6.6 keeps what a handshake needed for as long as the connection, told by their text or name. */
const TELLS_RESPONSE_OF_CLOSE = '() => this.emit("close")'
const HEARS_ERROR_BEFORE_UPGRADE = 'onUpgradeError'

/** What is leant on of Engine.IO's transport: the WebSocket below it. */
interface Transport {
  readonly socket?: NodeJS.EventEmitter
}

/**
 * Lets go of what sockets hold and nobody asks for once they are accepted: the requests that they began with, a browser's
 * headers above all; their rooms, which nothing is sent to; and what would wait for acknowledgements. It leans on what
 * Engine.IO and Socket.IO hold where; where that is another day elsewhere, more memory is used and nothing else happens.
 * @param http that Engine.IO listens to already
 * @returns what is to be called with each socket once it is served
 */
export function slimSockets(http: HttpServer): (socket: Socket) => void {
  // By it the stream of a WebSocket keeps an answer, which keeps the request. Nothing of ours waits for the end of one.
  http.on('upgrade', (_request, stream) => {
    drop(stream, 'close', (listener) => String(listener) === TELLS_RESPONSE_OF_CLOSE)
  })
  return (socket) => {
    onWebSocket(socket, (transport) => {
      const { socket: webSocket } = transport as Transport
      if (webSocket) drop(webSocket, 'error', ({ name }) => name === HEARS_ERROR_BEFORE_UPGRADE)
    })
    Object.assign(socket.conn, { request: null })
    Object.assign(socket, { handshake: FORGOTTEN, data: NO_DATA, acks: NO_ACKS })
    socket.nsp.adapter.delAll(socket.id)
  }
}

type Listener = (...args: unknown[]) => void

function drop(emitter: NodeJS.EventEmitter, event: string, isMeant: (listener: Listener) => boolean): void {
  for (const listener of emitter.listeners(event) as Listener[]) {
    if (isMeant(listener)) emitter.removeListener(event, listener)
  }
}

/** Calls `then` with the transport of a socket once it is a WebSocket: at once, or after an upgrade. */
export function onWebSocket({ conn }: Pick<Socket, 'conn'>, then: (transport: unknown) => void): void {
  if (conn.transport.name === 'websocket') then(conn.transport)
  else conn.once('upgrade', then)
}
