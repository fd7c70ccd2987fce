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

/** So many handshakes are under way at a time. */
const AT_ONCE = 200

/** What Chromium sends with a WebSocket's handshake, with two cookies of a middling shop. */
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

async function connectOne({ kind, url, subscribe }: ConnectOrder, seller: BenchSeller): Promise<void> {
  let answered: () => void = () => undefined
  const snapshot = new Promise<void>((resolve) => {
    answered = resolve
  })
  const wire = await dial(kind, url, seller, () => answered(), { headers: BROWSER_HEADERS, event: 'subscribe' })
  open.push(wire)
  if (!subscribe) return
  wire.send()
  await snapshot
}

process.on('message', async (order: ConnectOrder | 'end') => {
  if (order === 'end') {
    for (const wire of open) wire.close()
    process.disconnect()
    return
  }
  const waiting = [...order.sellers]
  const began = performance.now()
  const worker = async () => {
    for (let seller = waiting.pop(); seller; seller = waiting.pop()) await connectOne(order, seller)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  process.send?.({ seconds: (performance.now() - began) / 1_000 })
})
