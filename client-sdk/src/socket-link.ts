import { io } from 'socket.io-client'
import type { Ack, ConnectRefusal, ServerDraining } from '../protocol/index.js'
import { fromServer, lost } from './errors.js'
import type { Ask, LineParts, Link, LinkHooks, Questions } from './line.js'
import { ASK_MS } from './within.js'

/** Until an attempt to connect is given up. */
const CONNECT_MS = 10_000

/** A connection over a socket, which may be on its way. */
export interface Socket extends Link {
  /** Rejects with a MeterError: the server's refusal, or `network`. Never settles where it is closed before. */
  readonly opened: Promise<Socket>
}

/** Opens a socket: one transport after the other, in the order given. It mends nothing; that is for who holds it. */
export function openSocket({ base, pace }: LineParts, token: string, transports: string[], hooks: LinkHooks): Socket {
  const { origin, pathname } = new URL(base)
  const socket = io(origin, {
    path: pathname.replace(/\/?$/, '/socket.io'),
    auth: { token },
    transports,
    tryAllTransports: true,
    timeout: CONNECT_MS * pace,
    reconnection: false,
    forceNew: true,
  })
  let afterMs: number | undefined

  function close(): void {
    socket.off().disconnect()
  }

  function down(): void {
    close()
    hooks.down(link, afterMs)
  }

  const ask: Ask = (kind, request) => {
    // A socket brings its events by itself; where one is missing all the same, the snapshot stands for it.
    if (kind === 'events') return Promise.resolve({ items: [] } as unknown as Questions[typeof kind][1])
    // Socket.IO would keep it, and its timer, for a connection that never comes.
    if (!socket.connected) return Promise.reject(lost('gone'))
    return new Promise((resolve, reject) => {
      socket.timeout(ASK_MS * pace).emit(kind, request, (failure: Error | null, answer: Ack<object>) => {
        if (failure) {
          down()
          reject(lost(failure.message))
          return
        }
        const { ok, ...body } = answer
        if (ok) resolve(body as Questions[typeof kind][1])
        else reject(fromServer(body))
      })
    })
  }

  const opened = new Promise<Socket>((resolve, reject) => {
    socket.on('connect', () => resolve(link))
    socket.on('connect_error', (error: Error & { data?: ConnectRefusal }) => {
      close()
      reject(error.data ? fromServer(error.data) : lost(error.message))
    })
  })
  const link: Socket = { via: 'socket', ask, close, opened }
  socket.on('disconnect', down)
  socket.onAny((kind: string, payload: unknown) => {
    if (kind === 'token_expiring') hooks.expiring(link)
    else if (kind === 'server_draining') afterMs = (payload as ServerDraining).reconnect_after_ms
    else if (kind !== 'request_error') hooks.event(kind, payload)
  })
  return link
}
