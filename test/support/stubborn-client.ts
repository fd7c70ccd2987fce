import { setTimeout as sleep } from 'node:timers/promises'
import jwt from 'jsonwebtoken'
import { io } from 'socket.io-client'
import { type Ack, EVENT_KINDS, type HeartbeatAnswer, type StartAnswer } from '../../client-sdk/protocol/index.js'
import { TEST_SECRET } from './server.js'

/** A seller's page that comes back after every crash, and keeps count. */
export interface StubbornClient {
  readonly sellerId: string
  readonly livestreamId: string
  /** The sequences of the events, as they came and none twice. */
  readonly sequences: number[]
  readonly acknowledged: number
  /** The newest activity that the server has acknowledged. */
  readonly acknowledgedAt: number
  start(): Promise<void>
  leave(): void
}

const PING_EVERY_MS = 150

const sign = (sub: string, role: string): string => jwt.sign({ sub, role }, TEST_SECRET, { expiresIn: '1h' })

/** Makes a seller with credits and a livestream, and connects. */
export async function stubbornClient(port: number, sellerId: string): Promise<StubbornClient> {
  const url = `http://127.0.0.1:${port}`
  const livestreamId = `stream-of-${sellerId}`
  const service = sign('host', 'service')
  await post(`${url}/api/livestreams/`, service, { title: 'crash', id: livestreamId, seller_id: sellerId })
  await post(`${url}/api/sellers/${sellerId}/credits/`, service, { amount: 1_000 })

  const sequences: number[] = []
  const counts = { acknowledged: 0, acknowledgedAt: 0 }
  let gone = false
  const socket = io(url, {
    auth: { token: sign(sellerId, 'seller') },
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
  })
  const last = (): number => sequences.at(-1) ?? 0
  for (const kind of EVENT_KINDS) {
    socket.on(kind, ({ seq }: { seq: number }) => {
      if (seq > last()) sequences.push(seq)
    })
  }
  socket.on('connect', () => {
    socket.emit('subscribe', { livestream_id: livestreamId, after: last() })
  })

  async function ping(): Promise<void> {
    while (!gone) {
      try {
        const answer: Ack<HeartbeatAnswer> = await socket
          .timeout(2_000)
          .emitWithAck('ping', { livestream_id: livestreamId })
        if (answer.ok) {
          counts.acknowledged += 1
          counts.acknowledgedAt = Math.max(counts.acknowledgedAt, Date.parse(answer.last_activity))
        }
      } catch {
        // Killed in the middle: it was not acknowledged.
      }
      await sleep(PING_EVERY_MS)
    }
  }

  return {
    sellerId,
    livestreamId,
    sequences,
    get acknowledged() {
      return counts.acknowledged
    },
    get acknowledgedAt() {
      return counts.acknowledgedAt
    },
    async start() {
      const answer: Ack<StartAnswer> = await socket
        .timeout(10_000)
        .emitWithAck('start', { livestream_id: livestreamId })
      if (!answer.ok) throw new Error(answer.error)
      void ping()
    },
    leave() {
      gone = true
      socket.disconnect()
    },
  }
}

async function post(url: string, token: string, body: object): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'idempotency-key': 'crash' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
}
