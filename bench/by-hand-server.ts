import { createSecretKey } from 'node:crypto'
import { fdatasync, openSync } from 'node:fs'
import { createServer, type Server as HttpServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import jwt from 'jsonwebtoken'
import { Server } from 'socket.io'
import { openKept } from '../server/store/kept-sqlite.js'

// The least that can be done on our tables with what ours is made of: checks a token, runs one statement, answers the same, and decides nothing.
//   by-hand-server.ts KIND DATABASE, with a real answer in BENCH_ANSWER and the secret of the tokens in BENCH_SECRET

const { headers, body } = JSON.parse(process.env['BENCH_ANSWER'] ?? '{}') as {
  headers: Record<string, string>
  body: string
}
const key = createSecretKey(Buffer.from(process.env['BENCH_SECRET'] ?? ''))
const database = openKept(process.argv[3] ?? '')

const kinds: Record<string, () => HttpServer> = {
  /** Heartbeats: by the statement that ours takes, a batch at a time, which is on disk before it is answered. */
  http() {
    database.exec('pragma synchronous = normal')
    const log = openSync(`${database.name}-wal`, 'r+')
    const record = database.prepare(`
      update runs set last_activity_at = $now, silent_since = $now from json_each($beats) as beat
      where runs.livestream_id = beat.key and runs.seller_id = beat.value
        and runs.ended_at is null and runs.warned_at is null and runs.due_at > $now
      returning livestream_id as id, credits_consumed as consumed, last_activity_at as at,
        (select balance from credit_accounts where seller_id = runs.seller_id) as balance`)
    const sellers = new Map<string, string>()
    let filling = new Map<string, { readonly seller: string; readonly res: ServerResponse }>()
    let isBusy = false

    function write(): void {
      const batch = filling
      filling = new Map()
      isBusy = batch.size > 0
      if (!isBusy) return
      const beats = `{${[...batch].map(([id, { seller }]) => `"${id}":"${seller}"`).join()}}`
      const rows = record.all({ now: Date.now(), beats }) as {
        id: string
        consumed: number
        at: number
        balance: number
      }[]
      fdatasync(log, (error) => {
        if (error) throw error
        for (const { id, consumed, at, balance } of rows) {
          const text =
            `{"message":"Heartbeat recorded successfully","last_activity":"${new Date(at).toISOString()}",` +
            `"remaining_credits":${balance},"credits_consumed":${consumed}}`
          batch
            .get(id)
            ?.res.writeHead(200, { ...headers, 'content-length': text.length })
            .end(text)
        }
        setImmediate(write)
      })
    }

    return createServer((req, res) => {
      const token = req.headers.authorization?.slice('Bearer '.length) ?? ''
      const seller = sellers.get(token) ?? String(jwt.verify(token, key).sub)
      sellers.set(token, seller)
      filling.set(req.url?.split('/')[3] ?? '', { seller, res })
      if (isBusy) return
      isBusy = true
      setImmediate(write)
    })
  },
  /** Subscriptions: one statement, and the answer with what it read. */
  'socket.io'() {
    const http = createServer()
    const answer = JSON.parse(body) as object
    const read = database.prepare(`
      select * from livestreams join runs on runs.livestream_id = livestreams.id and runs.ended_at is null
        join credit_accounts on credit_accounts.seller_id = livestreams.seller_id
      where livestreams.id = ?`)
    const io = new Server(http, { serveClient: false })
    io.use((socket, next) => {
      socket.data = jwt.verify(socket.handshake.auth['token'], key)
      next()
    })
    io.on('connection', (socket) => {
      socket.on('subscribe', ({ livestream_id: id }: { livestream_id: string }, ack: (answer: object) => void) => {
        const row = read.get(id) as { seller_id: string; last_seq: number; balance: number }
        if (row.seller_id !== socket.data.sub) throw new Error('it is the livestream of another seller')
        ack({ ok: true, ...answer, seq: row.last_seq, remaining_credits: row.balance })
      })
    })
    return http
  },
}

const http = kinds[process.argv[2] ?? '']?.()
http?.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}"`)
})
