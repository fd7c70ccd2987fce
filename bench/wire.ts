import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { io } from 'socket.io-client'
import type { BenchSeller } from './servers.js'

// A client that costs so little that it never is what is measured: every request is the same bytes, made once, and an answer
// is only told from the next one. Browsers' libraries would need more of a core than the server does.

export type WireKind = 'socket.io' | 'socket.io-client' | 'ws' | 'http'

export interface Wire {
  /** Sends one heartbeat; `answered` is called for its answer. */
  send(): void
  close(): void
}

/** Opens a connection for one seller, and resolves when heartbeats can be sent. Another answer than a success throws. */
export function dial(
  kind: WireKind,
  url: string,
  seller: BenchSeller,
  answered: () => void,
  options: RawOptions = {},
): Promise<Wire> {
  if (kind === 'socket.io-client') return dialByLibrary(url, seller, answered)
  return dialRaw(kind, url, seller, answered, options)
}

export interface RawOptions {
  /** Of the handshake, each line with its end. */
  readonly headers?: string
  /** What `send` sends; a ping where it is not said. */
  readonly event?: 'ping' | 'subscribe'
  /** Called for each event that the server sends of itself, with the bytes that it took. */
  readonly heard?: (bytes: number) => void
  /** What `send` asks by HTTP, with `:id` for the livestream; a heartbeat where it is not said. */
  readonly request?: string
}

const HEARTBEAT = 'POST /api/livestreams/:id/heartbeat/'

const OPCODE_TEXT = 0x81
const MASKED = 0x80

/** A text frame as a client sends it. A mask of zeros is a mask, and leaves the text as it is. */
function frame(text: string): Buffer {
  const body = Buffer.from(text)
  const head =
    body.length < 126
      ? [OPCODE_TEXT, MASKED | body.length]
      : [OPCODE_TEXT, MASKED | 126, body.length >> 8, body.length & 255]
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), body])
}

/** Where the text of a server's frame begins. */
const textAt = (bytes: Buffer): number => (((bytes[1] ?? 0) & 127) < 126 ? 2 : 4)

/** The length of the frame that bytes begin with; infinite while that cannot be told. */
function frameLength(bytes: Buffer): number {
  if (bytes.length < 4) return bytes.length >= 2 && (bytes[1] ?? 0) < 2 ? 2 + (bytes[1] ?? 0) : Number.POSITIVE_INFINITY
  return textAt(bytes) === 2 ? 2 + ((bytes[1] ?? 0) & 127) : 4 + bytes.readUInt16BE(2)
}

/** The same for an HTTP answer. */
function answerLength(bytes: Buffer): number {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return Number.POSITIVE_INFINITY
  const [, length = 0] = /\r\ncontent-length: (\d+)/i.exec(bytes.toString('latin1', 0, headEnd)) ?? []
  return headEnd + 4 + Number(length)
}

const PONG = frame('3')
/** What the text of an event begins with; an answer's begins with 43. */
const EVENT = Buffer.from('42')

function dialRaw(
  kind: Exclude<WireKind, 'socket.io-client'>,
  url: string,
  { token, livestreamId }: BenchSeller,
  answered: () => void,
  { headers = '', event = 'ping', heard, request = HEARTBEAT }: RawOptions,
): Promise<Wire> {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  const beat =
    kind === 'http'
      ? Buffer.from(
          `${request.replace(':id', livestreamId)} HTTP/1.1\r\nHost: ${host}\r\n` +
            `Authorization: Bearer ${token}\r\n${request.startsWith('POST') ? 'Content-Length: 0\r\n' : ''}\r\n`,
        )
      : frame(`420["${event}",{"livestream_id":"${livestreamId}"}]`)
  const success = kind === 'http' ? 'HTTP/1.1 200' : '430[{"ok":true'

  return new Promise((resolve, reject) => {
    let closing = false
    const ready = () => resolve({ send: () => void socket.write(beat), close })
    /** What is still to be heard before heartbeats can be sent. */
    const handshake: ((message: Buffer) => void)[] = []
    let lengthOf = answerLength

    function close(): void {
      closing = true
      socket.destroy()
    }

    function take(message: Buffer): void {
      const step = handshake.shift()
      if (step) {
        step(message)
        if (handshake.length === 0) ready()
        return
      }
      const from = kind === 'http' ? 0 : textAt(message)
      if (heard && message[from] === EVENT[0] && message[from + 1] === EVENT[1]) {
        heard(message.length)
        return
      }
      if (message.toString('latin1', from, from + success.length) === success) answered()
      else if (message.toString('latin1', from) === '2') socket.write(PONG)
      else throw new Error(`it was answered: ${message.toString('latin1')}`)
    }

    let rest: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
      for (let length = lengthOf(rest); length <= rest.length; length = lengthOf(rest)) {
        const message = rest.subarray(0, length)
        rest = rest.subarray(length)
        take(message)
      }
    })
    socket.once('error', reject)
    socket.once('close', () => {
      if (!closing) throw new Error('the server closed a connection')
    })
    socket.once('connect', () => {
      if (kind === 'http') {
        ready()
        return
      }
      handshake.push(() => {
        lengthOf = frameLength
      })
      if (kind === 'socket.io') {
        handshake.push(() => socket.write(frame(`40${JSON.stringify({ token })}`)))
        handshake.push(() => undefined)
      }
      const path = kind === 'socket.io' ? '/socket.io/?EIO=4&transport=websocket' : '/'
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
      )
    })
  })
}

function dialByLibrary(url: string, { token, livestreamId }: BenchSeller, answered: () => void): Promise<Wire> {
  const socket = io(url, { auth: { token }, transports: ['websocket'], forceNew: true, reconnection: false })
  return new Promise((resolve, reject) => {
    socket.once('connect_error', reject)
    socket.once('connect', () => {
      resolve({
        send() {
          socket.emit('ping', { livestream_id: livestreamId }, (answer: { ok: boolean }) => {
            if (!answer.ok) throw new Error(`a heartbeat failed: ${JSON.stringify(answer)}`)
            answered()
          })
        },
        close: () => socket.disconnect(),
      })
    })
  })
}
