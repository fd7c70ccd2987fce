import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'

/** A proxy before a server, on an address that stays the same, that fails in the ways in which a network does. */
export interface Gate {
  readonly url: string
  /** What passes: everything, everything but WebSockets, requests but no sockets of any kind, or nothing. */
  pass: 'all' | 'no-websocket' | 'requests' | 'nothing'
  /** Answers of the server no longer arrive, while what is asked still does. */
  muted: boolean
  /** What was asked for and when, as `GET /path` with `performance.now()`. */
  readonly asked: { readonly what: string; readonly at: number }[]
  /** What is served here, by path: its type, and what it says. */
  readonly pages: Map<string, { readonly type: string; readonly body: string | (() => string) }>
  /** Cuts every connection there is. */
  cut(): void
  close(): Promise<void>
}

/** @param target the server's address, asked for anew at each connection */
export async function openGate(target: () => string): Promise<Gate> {
  const open = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    open.add(socket)
    return socket.on('close', () => open.delete(socket)).on('error', () => undefined)
  }

  function admits(incoming: IncomingMessage, isWebSocket: boolean): boolean {
    const isSocket = incoming.url?.startsWith('/socket.io') ?? false
    gate.asked.push({ what: `${incoming.method} ${incoming.url}`, at: performance.now() })
    if (gate.pass === 'nothing') return false
    if (gate.pass === 'requests') return !isSocket
    return gate.pass === 'all' || !isWebSocket
  }

  const server = createServer((incoming, outgoing) => {
    const page = gate.pages.get(incoming.url ?? '')
    if (page) {
      outgoing.setHeader('content-type', page.type).end(typeof page.body === 'string' ? page.body : page.body())
      return
    }
    if (!admits(incoming, false)) {
      outgoing.writeHead(403, { 'access-control-allow-origin': '*' }).end('refused at the gate')
      return
    }
    const { hostname, port } = new URL(target())
    const { method, url, headers } = incoming
    const onward = request({ hostname, port, method, path: url, headers }, (answer) => {
      if (gate.muted) return
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
  server.on('connection', keep)
  server.on('upgrade', (incoming, socket: Socket, head) => {
    if (!admits(incoming, true)) {
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
      return
    }
    const { hostname, port } = new URL(target())
    const onward = keep(connect(Number(port), hostname))
    const lines = incoming.rawHeaders.flatMap((name, i, all) => (i % 2 === 0 ? [`${name}: ${all[i + 1]}`] : []))
    onward.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    onward.write(head)
    onward.on('data', (chunk) => gate.muted || socket.write(chunk))
    onward.on('close', () => socket.destroy())
    socket.on('data', (chunk) => onward.write(chunk))
    socket.on('close', () => onward.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const gate: Gate = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pass: 'all',
    muted: false,
    asked: [],
    pages: new Map(),
    cut() {
      for (const socket of open) socket.destroy()
    },
    async close() {
      gate.cut()
      server.close()
      await once(server, 'close')
    },
  }
  return gate
}
