import { io, type Socket } from 'socket.io-client'
import type { Ack, ConnectRefusal, ServerDraining } from '../protocol/index.js'
import type { Address } from './address.js'
import { fromServer, lost } from './errors.js'
import type { Ask, Link, LinkHooks, Questions } from './line.js'
import type { Timing } from './timing.js'

/** A socket on its way. */
export interface OpeningSocket {
  /** Rejects with a MeterError: the server's refusal, or `network`. Never settles where it is closed before. */
  readonly opened: Promise<Link>
  close(): void
}

/**
 * Opens a socket: one transport after the other, in the order given. It mends nothing; that is for who holds it.
 * @param rest answers what a socket cannot be asked
 */
export function openSocket(
  { origin, path }: Address,
  token: string,
  transports: readonly ('websocket' | 'polling')[],
  { connectMs, askMs }: Timing,
  rest: Ask,
  hooks: LinkHooks,
): OpeningSocket {
  const socket: Socket = io(origin, {
    path: `${path}/socket.io`,
    auth: { token },
    transports: [...transports],
    tryAllTransports: true,
    timeout: connectMs,
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
    if (kind === 'events') {
      // Where REST is out of reach the snapshot stands for what was missed; the socket itself is well.
      return rest(kind, request).catch(() => ({ items: [], reset: true }) as unknown as Questions[typeof kind][1])
    }
    return new Promise((resolve, reject) => {
      socket.timeout(askMs).emit(kind, request, (failure: Error | null, answer: Ack<object>) => {
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

  const link: Link = { via: 'socket', ask, close }
  const opened = new Promise<Link>((resolve, reject) => {
    socket.on('connect', () => resolve(link))
    socket.on('connect_error', (error: Error & { data?: ConnectRefusal }) => {
      close()
      reject(error.data ? fromServer(error.data) : lost(error.message))
    })
  })
  socket.on('disconnect', down)
  socket.onAny((kind: string, payload: unknown) => {
    if (kind === 'token_expiring') hooks.tokenExpiring(link)
    else if (kind === 'server_draining') afterMs = (payload as ServerDraining).reconnect_after_ms
    else if (kind !== 'request_error') hooks.event(kind, payload)
  })
  return { opened, close }
}
