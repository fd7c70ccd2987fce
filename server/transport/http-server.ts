import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { SetupError } from '../domain/errors.js'
import { SECOND_MS } from '../domain/instant.js'
import { UnreadableRequest } from './unread-body.js'

/** How long a connection may be idle between two requests. */
export const KEEP_ALIVE_MS = 5 * SECOND_MS

export interface HttpServer {
  readonly http: Server
  /**
   * Listens, and resolves with the address as a base URL.
   * @throws SetupError with what to do, where the address cannot be had
   */
  listen(host: string, port: number): Promise<string>
  /** Drops connections on which nobody has asked anything, which a browser opens ahead: they would hold up a stop. */
  dropUnused(): void
}

export function createHttpServer(answer: RequestListener): HttpServer {
  const http = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, IncomingMessage: UnreadableRequest }, answer)
  const unused = new Set<Socket>()
  function isUsed(socket: Socket): void {
    if (unused.delete(socket)) socket.off('close', closed)
  }
  /** One function for all: a listener that holds its socket would live as long. */
  function closed(this: Socket): void {
    unused.delete(this)
  }
  http.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.on('close', closed)
  })
  http.on('request', ({ socket }) => isUsed(socket))
  http.on('upgrade', ({ socket }) => isUsed(socket))
  return {
    http,
    listen: (host, port) => listen(http, host, port),
    dropUnused() {
      for (const socket of unused) socket.destroy()
    },
  }
}

function listen(http: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => {
      reject(new SetupError(`Cannot listen on ${host}:${port}: ${faultOf(error)}`))
    })
    http.listen(port, host, () => {
      const { port: actual } = http.address() as AddressInfo
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${actual}`)
    })
  })
}

function faultOf({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is in use. Stop what listens there, or set PORT to another (0 picks a free one).'
    case 'EACCES':
      return 'not permitted. Set PORT to one above 1023.'
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine has no such address. Set HOST to one of its own.'
    default:
      return message
  }
}
