import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from './result.js'
import type { BenchSeller } from './servers.js'
import { dial, type Wire, type WireKind } from './wire.js'

// The load: a process of its own, so that it never shares the server's event loop.

export interface Order {
  readonly kind: WireKind
  readonly url: string
  /** The server's process, whose CPU time is read. */
  readonly pid: number
  readonly sellers: readonly BenchSeller[]
  readonly seconds: number
  /** Heartbeats a second over all clients; null for as many as there can be, each client with one under way. */
  readonly perSecond: number | null
  /** What is asked by HTTP, where it is no heartbeat: see wire.ts. */
  readonly request?: string
}

export interface Measured {
  readonly perSecond: number
  readonly medianMs: number
  readonly p99Ms: number
  /** CPU time of the server's process for one heartbeat; null where the system does not tell. */
  readonly cpuMicros: number | null
}

const WARM_UP_MS = 800
/** Below what a listening socket keeps waiting. */
const DIALLED_AT_ONCE = 100
/** Linux counts CPU time in hundredths of a second. */
const TICK_MICROS = 10_000

process.once('message', (order: Order) => {
  void run(order)
})

async function run({ kind, url, pid, sellers, seconds, perSecond, request }: Order): Promise<void> {
  let counting = false
  let running = true
  const waits: number[] = []
  const idle: Client[] = []

  interface Client {
    wire: Wire | null
    sentAt: number
  }

  function beat(client: Client): void {
    client.sentAt = performance.now()
    client.wire?.send()
  }

  async function join(seller: BenchSeller): Promise<Client> {
    const client: Client = { wire: null, sentAt: 0 }
    const answered = () => {
      if (counting) waits.push(performance.now() - client.sentAt)
      if (perSecond !== null) idle.push(client)
      else if (running) beat(client)
    }
    client.wire = await dial(kind, url, seller, answered, request === undefined ? {} : { request })
    return client
  }

  /** Sends what has become due since the last turn of the timer; a client that still waits is passed over. */
  async function keepPace(rate: number): Promise<void> {
    const began = performance.now()
    let next = 0
    for (let sent = 0; running; await sleep(1)) {
      for (const due = ((performance.now() - began) * rate) / 1_000; sent < due; sent += 1) {
        const client = idle[next]
        if (!client) break
        next += 1
        beat(client)
      }
      // Taken from the front, in their order; cut off now and then, since cutting costs as much as the list is long.
      if (next > 10_000) {
        idle.splice(0, next)
        next = 0
      }
    }
  }

  const clients: Client[] = []
  for (let from = 0; from < sellers.length; from += DIALLED_AT_ONCE) {
    clients.push(...(await Promise.all(sellers.slice(from, from + DIALLED_AT_ONCE).map(join))))
  }
  if (perSecond === null) for (const client of clients) beat(client)
  else {
    idle.push(...clients)
    void keepPace(perSecond)
  }
  await sleep(WARM_UP_MS)
  const [began, cpuBefore] = [performance.now(), cpuTicks(pid)]
  counting = true
  await sleep(seconds * 1_000)
  counting = false
  running = false
  const [elapsedSeconds, cpuAfter] = [(performance.now() - began) / 1_000, cpuTicks(pid)]
  const measured: Measured = {
    perSecond: waits.length / elapsedSeconds,
    medianMs: percentile(waits, 0.5),
    p99Ms: percentile(waits, 0.99),
    cpuMicros: cpuBefore === null || cpuAfter === null ? null : ((cpuAfter - cpuBefore) * TICK_MICROS) / waits.length,
  }
  process.send?.(measured)
  for (const { wire } of clients) wire?.close()
  process.disconnect()
}

function cpuTicks(pid: number): number | null {
  if (process.platform !== 'linux') return null
  // The name of the program, in parentheses, may hold spaces; utime and stime are the 12th and 13th field after it.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}
