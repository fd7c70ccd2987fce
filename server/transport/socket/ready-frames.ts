import type { Writable } from 'node:stream'
import type { Socket } from 'socket.io'

/** What Engine.IO tells of a message before it sends it ("packetCreate" in its README). */
interface Packet {
  readonly type: string
  readonly data?: unknown
  readonly options: { wsPreEncodedFrame?: Buffer[] }
}

const TEXT_MESSAGE = 0x81
const TYPE_OF_MESSAGE = 0x34

/**
 * Sends a connection's messages as frames of one piece. Left to itself, ws writes head and text as two, which costs the
 * system call that takes lists. Engine.IO sends a ready frame over a WebSocket, as Socket.IO's broadcasts do it; long-polling,
 * or an Engine.IO that knows nothing of it, takes the text as ever.
 * Frames: RFC 6455, section 5.2; the type before the text: Engine.IO protocol 4.
 */
export function sendReadyFrames(conn: Socket['conn']): void {
  conn.on('packetCreate', ready)
}

function ready({ type, data, options }: Packet): void {
  if (type !== 'message' || typeof data !== 'string') return
  options.wsPreEncodedFrame = [frameOf(data)]
}

const EVENT = '2'
const ACK = '3'

/** Sends an event, as `emit` does (Socket.IO protocol 5, packets EVENT and ACK). */
export function sendEvent(socket: Pick<Socket, 'conn'>, event: string, payload: object): void {
  writeAtOnce(socket, EVENT + JSON.stringify([event, payload]))
}

/**
 * Has what Socket.IO hands out to acknowledge an event with do it by `acknowledge`. By its internal name; under another one
 * day, acknowledgements take Socket.IO's way.
 */
export function acknowledgeAtOnce(socket: Socket): void {
  Object.assign(socket, { ack: ackOf })
}

function ackOf(this: Socket, id: number): (answer: object) => void {
  return (answer) => acknowledge(this, String(id), JSON.stringify(answer))
}

/** Acknowledges an event by the number that it came with; the answer is JSON. */
export function acknowledge(socket: Pick<Socket, 'conn'>, ackId: string, answer: string): void {
  writeAtOnce(socket, `${ACK}${ackId}[${answer}]`)
}

/** What `writeAtOnce` looks at of Engine.IO's socket, its transport, and the WebSocket below; all of it internal. */
interface Below {
  readonly readyState?: unknown
  readonly writeBuffer?: readonly unknown[]
  readonly transport?: {
    readonly name?: unknown
    readonly writable?: unknown
    readonly perMessageDeflate?: unknown
    readonly socket?: { readonly readyState?: unknown; readonly _socket?: Writable }
  }
}

const WEBSOCKET_IS_OPEN = 1

/**
 * Sends a message past the queues of Engine.IO and ws, where nothing is in them and so nothing is overtaken: what they do
 * for a message costs a tenth of a heartbeat, and half a push. Wherever it is not plainly so, the message goes through them.
 */
function writeAtOnce({ conn }: Pick<Socket, 'conn'>, text: string): void {
  const { readyState, writeBuffer, transport } = conn as unknown as Below
  const stream = transport?.socket?._socket
  if (
    readyState === 'open' &&
    writeBuffer?.length === 0 &&
    transport?.name === 'websocket' &&
    transport.writable === true &&
    !transport.perMessageDeflate &&
    transport.socket?.readyState === WEBSOCKET_IS_OPEN &&
    stream
  ) {
    stream.write(frameOf(text))
  } else conn.write(text)
}

/** The frame of a message, unmasked as a server's are. */
export function frameOf(text: string): Buffer {
  const length = 1 + Buffer.byteLength(text)
  const headLength = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headLength + length)
  frame[0] = TEXT_MESSAGE
  if (headLength === 2) frame[1] = length
  else if (headLength === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame[headLength] = TYPE_OF_MESSAGE
  frame.write(text, headLength + 1)
  return frame
}
