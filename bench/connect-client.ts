import type { BenchSeller } from './servers.js'
import { dial, type Wire, type WireKind } from './wire.js'

// Opens many connections, so many at a time, and holds them until it is told to end. A process of its own.

export interface ConnectOrder {
  readonly kind: WireKind
  readonly url: string
  readonly sellers: readonly BenchSeller[]
  /** Whether each also subscribes, and waits for the snapshot. */
  readonly subscribe: boolean
}

/** What it tells after `listening`, once it was asked to `hear`, and each connection has heard one event more. */
export interface Heard {
  /** When each has, in the order of the sellers: on the wall clock, finer than its milliseconds. */
  readonly at: readonly number[]
  /** All frames together. */
  readonly bytes: number
}

/** So many handshakes are under way at a time. */
const AT_ONCE = 200

/** What Chromium sends with a WebSocket's handshake beside the page's origin, with two cookies of a middling shop. */
const BROWSER_HEADERS = [
  'Pragma: no-cache',
  'Cache-Control: no-cache',
  'User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-US,en;q=0.9,de;q=0.8',
  `Cookie: _ga=GA1.1.1234567890.1700000000; session=${'s'.repeat(180)}`,
]
  .map((line) => `${line}\r\n`)
  .join('')

const open: Wire[] = []
let hear: (nth: number, bytes: number) => void = () => undefined

async function connectOne({ kind, url, subscribe }: ConnectOrder, seller: BenchSeller, nth: number): Promise<void> {
  let answered: () => void = () => undefined
  const snapshot = new Promise<void>((resolve) => {
    answered = resolve
  })
  const wire = await dial(kind, url, seller, () => answered(), {
    headers: `${BROWSER_HEADERS}Origin: ${url}\r\n`,
    event: 'subscribe',
    heard: (bytes) => hear(nth, bytes),
  })
  open.push(wire)
  if (!subscribe) return
  wire.send()
  await snapshot
}

async function connectAll(order: ConnectOrder): Promise<void> {
  const waiting = [...order.sellers.entries()].reverse()
  const began = performance.now()
  const worker = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) await connectOne(order, next[1], next[0])
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  process.send?.({ seconds: (performance.now() - began) / 1_000 })
}

/** Tells when each connection has heard one event more. */
function hearOne(): void {
  const at = new Array<number>(open.length).fill(0)
  let count = 0
  let bytes = 0
  hear = (nth, length) => {
    if (at[nth] !== 0) throw new Error(`connection ${nth} heard more than one event`)
    at[nth] = performance.timeOrigin + performance.now()
    bytes += length
    count += 1
    if (count === at.length) process.send?.({ at, bytes } satisfies Heard)
  }
  process.send?.('listening')
}

process.on('message', async (order: ConnectOrder | 'hear' | 'end') => {
  if (order === 'hear') hearOne()
  else if (order === 'end') {
    for (const wire of open) wire.close()
    process.disconnect()
  } else await connectAll(order)
})
process.once('disconnect', () => process.exit())
