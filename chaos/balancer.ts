import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** One address before several servers: each connection goes to any of them that takes it. */
export interface Balancer {
  readonly url: string
  close(): Promise<void>
}

/** @param ports of the servers that are up, asked for at each connection */
export async function startBalancer(ports: () => number[]): Promise<Balancer> {
  const open = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    open.add(socket)
    return socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy())
  }

  function forward(incoming: Socket, left: number[]): void {
    const [port, ...others] = left
    if (port === undefined) {
      incoming.destroy()
      return
    }
    const onward = connect(port, '127.0.0.1')
    onward.once('error', () => forward(incoming, others))
    onward.once('connect', () => {
      onward.removeAllListeners('error')
      keep(onward)
      incoming.pipe(onward)
      onward.pipe(incoming)
      incoming.on('close', () => onward.destroy())
      onward.on('close', () => incoming.destroy())
    })
  }

  const server = createServer((incoming) => {
    keep(incoming)
    forward(
      incoming,
      ports().sort(() => Math.random() - 0.5),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
