import { setTimeout as sleep } from 'node:timers/promises'
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import {
  type ConnectRefusal,
  EVENT_KINDS,
  type RequestError,
  type SellerEvent,
} from '../../client-sdk/protocol/index.js'

export interface TestSocket {
  readonly socket: Socket
  /** The events of the seller's sequence, in the order in which they came. */
  readonly events: SellerEvent[]
  /** The `request_error`s. */
  readonly errors: RequestError[]
  /** Everything that came, by name, acknowledgements of `ask` included as `ack:EVENT`. */
  readonly log: string[]
  /** Sends an event with these payloads, and resolves with the acknowledgement. */
  ask(event: string, ...payloads: unknown[]): Promise<SocketAnswer>
  /** Resolves with the event of this sequence, once it has come. */
  event(seq: number): Promise<SellerEvent>
}

// biome-ignore lint/suspicious/noExplicitAny: what a server answers is what the test is about
export type SocketAnswer = any

export type ConnectOptions = Partial<ManagerOptions & SocketOptions>

const open = new Set<Socket>()

/** Connects with a token. @throws the refusal, where it is refused */
export async function connect(url: string, token: string, options: ConnectOptions = {}): Promise<TestSocket> {
  const connected = dial(url, { auth: { token }, ...options })
  await arrival(connected.socket)
  return connected
}

/** A socket that is about to connect; it listens from the first moment. */
export function dial(url: string, options: ConnectOptions = {}): TestSocket {
  const socket = io(url, { transports: ['websocket'], reconnection: false, forceNew: true, ...options })
  open.add(socket)
  const events: SellerEvent[] = []
  const errors: RequestError[] = []
  const log: string[] = []
  socket.onAny((event: string, payload) => {
    log.push(event)
    if (EVENT_KINDS.some((kind) => kind === event)) events.push({ event, ...payload })
    if (event === 'request_error') errors.push(payload)
  })
  return {
    socket,
    events,
    errors,
    log,
    async ask(event, ...payloads) {
      const answer = await socket.timeout(30_000).emitWithAck(event, ...payloads)
      log.push(`ack:${event}`)
      return answer
    },
    async event(seq) {
      await until(() => events.some((event) => event.seq === seq), `event ${seq}`)
      const found = events.find((event) => event.seq === seq)
      if (!found) throw new Error(`event ${seq} went away`)
      return found
    },
  }
}

/** Resolves when a socket is connected. @throws its refusal */
export function arrival(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.connected) resolve()
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
  })
}

/** What a connection is refused with: the error's text and its `data`. */
export async function refusal(url: string, options: ConnectOptions): Promise<Error & { data?: ConnectRefusal }> {
  const { socket } = dial(url, options)
  try {
    await arrival(socket)
  } catch (error) {
    return error as Error & { data?: ConnectRefusal }
  } finally {
    socket.disconnect()
  }
  throw new Error('The connection was taken')
}

/** Resolves once a condition holds, looking every few milliseconds. @throws after 30 s, or as long as is said */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 30_000,
): Promise<void> {
  const since = performance.now()
  while (!(await condition())) {
    if (performance.now() - since > withinMs) throw new Error(`Waited ${withinMs} ms in vain for: ${what}`)
    await sleep(3)
  }
}

/** Resolves with the reason once a socket is disconnected. */
export function disconnection(socket: Socket, withinMs = 30_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`Still connected after ${withinMs} ms`)), withinMs)
    socket.once('disconnect', (reason) => {
      clearTimeout(late)
      resolve(reason)
    })
  })
}

/** Disconnects every socket of this file; for `test.after`. */
export function disconnectAll(): void {
  for (const socket of open) socket.disconnect()
  open.clear()
}
