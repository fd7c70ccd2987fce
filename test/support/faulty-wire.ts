import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a server that can be cut: what passes through it is lost, and nobody gets through, until it is mended. */
export interface FaultyWire {
  readonly port: number
  cut(): void
  mend(): void
  close(): Promise<void>
}

export async function faultyWire(toPort: number): Promise<FaultyWire> {
  const open = new Set<Socket>()
  let isCut = false
  const keep = (socket: Socket): Socket => {
    open.add(socket)
    return socket.on('close', () => open.delete(socket)).on('error', () => undefined)
  }
  const server = createServer((incoming) => {
    keep(incoming)
    if (isCut) {
      incoming.destroy()
      return
    }
    const onward = keep(connect(toPort, '127.0.0.1'))
    incoming.pipe(onward)
    onward.pipe(incoming)
    incoming.on('close', () => onward.destroy())
    onward.on('close', () => incoming.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const drop = () => {
    for (const socket of open) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true
      drop()
    },
    mend() {
      isCut = false
    },
    async close() {
      drop()
      server.close()
      await once(server, 'close')
    },
  }
}
