import { io, type Socket } from 'socket.io-client'
import type { BenchSeller } from './servers.js'

// The load: every socket keeps one ping under way. A process of its own, so that it never shares the server's event loop.

interface Order {
  readonly url: string
  readonly sellers: BenchSeller[]
  readonly seconds: number
}

const WARM_UP_MS = 1_000

async function connect(url: string, { token }: BenchSeller): Promise<Socket> {
  const socket = io(url, { auth: { token }, transports: ['websocket'], forceNew: true, reconnection: false })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
  })
  return socket
}

process.once('message', (order: Order) => {
  void run(order)
})

async function run({ url, sellers, seconds }: Order): Promise<void> {
  const sockets = await Promise.all(sellers.map((seller) => connect(url, seller)))
  let counting = false
  let running = true
  let count = 0
  const waits: number[] = []

  function beat(socket: Socket, livestreamId: string): void {
    const sentAt = performance.now()
    socket.emit('ping', { livestream_id: livestreamId }, (answer: { ok: boolean }) => {
      if (!answer.ok) throw new Error(`a heartbeat failed: ${JSON.stringify(answer)}`)
      if (counting) {
        count += 1
        waits.push(performance.now() - sentAt)
      }
      if (running) beat(socket, livestreamId)
    })
  }

  for (const [index, socket] of sockets.entries()) beat(socket, sellers[index]?.livestreamId ?? '')
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
  const began = performance.now()
  counting = true
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
  counting = false
  running = false
  const elapsedSeconds = (performance.now() - began) / 1_000
  waits.sort((a, b) => a - b)
  process.send?.({
    perSecond: count / elapsedSeconds,
    medianMs: waits[Math.floor(waits.length * 0.5)] ?? 0,
    p99Ms: waits[Math.floor(waits.length * 0.99)] ?? 0,
  })
  for (const socket of sockets) socket.disconnect()
  process.disconnect()
}
