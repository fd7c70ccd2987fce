import type { Socket } from 'socket.io'
import { isLivestreamId } from '../../domain/livestream-id.js'
import { onWebSocket } from './socket-memory.js'

/**
 * A ping as socket.io-client writes it, with an acknowledgement (Engine.IO protocol 4, packet "message"; Socket.IO protocol 5,
 * packet EVENT).
 */
const PLAIN_PING = /^42(0|[1-9]\d{0,14})\["ping",\{"livestream_id":"([\w-]+)"\}\]$/

/** Takes a ping for a livestream; `ackId` is what `acknowledge` needs. */
type TakePing = (livestreamId: string, ackId: string) => void
type Listener = (data: Buffer, isBinary: boolean) => void

/** What is leant on of Engine.IO's transport: the WebSocket below it, and that its messages are listened to. */
interface Transport {
  readonly socket?: {
    listeners(event: 'message'): Listener[]
    removeListener(event: 'message', listener: Listener): void
    on(event: 'message', listener: Listener): void
  }
}

/**
 * Has the pings of a socket go straight to `take`, told from their text ahead of Engine.IO and Socket.IO: nearly all that
 * ever comes are pings, and what these do for one, in two turns of their queue, costs more than recording it. Whatever is not
 * plainly a ping goes their way, and so does everything where they hold their connections otherwise one day.
 */
export function takePlainPings(socket: Socket, take: TakePing): void {
  onWebSocket(socket, (transport) => hearFirst(transport, socket, take))
}

function hearFirst(transport: unknown, socket: Pick<Socket, 'connected'>, take: TakePing): void {
  const { socket: webSocket } = transport as Transport
  const [theLongWay, ...others] = webSocket?.listeners('message') ?? []
  if (!webSocket || !theLongWay || others.length > 0) return
  webSocket.removeListener('message', theLongWay)
  webSocket.on('message', listenerFor(socket, take, theLongWay))
}

function listenerFor(socket: Pick<Socket, 'connected'>, take: TakePing, theLongWay: Listener): Listener {
  /** What came in this turn of the event loop and goes the long way: a ping behind it must not overtake it. */
  let onTheLongWay = 0
  return (data, isBinary) => {
    if (!isBinary && onTheLongWay === 0 && socket.connected) {
      const [, ackId, livestreamId] = PLAIN_PING.exec(data.toString()) ?? []
      if (ackId !== undefined && livestreamId !== undefined && isLivestreamId(livestreamId)) {
        take(livestreamId, ackId)
        return
      }
    }
    onTheLongWay += 1
    setImmediate(() => {
      onTheLongWay -= 1
    })
    theLongWay(data, isBinary)
  }
}
