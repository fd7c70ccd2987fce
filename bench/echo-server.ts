import { createSecretKey } from 'node:crypto'
import { fdatasync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import jwt from 'jsonwebtoken'
import { Server } from 'socket.io'
import { WebSocketServer } from 'ws'

// What a heartbeat is measured against: the least that can be done with one. Those that are synced write a page for each batch, and answer
// when that is on disk, as whatever stores heartbeats has to; the others store nothing.
//   echo-server.ts KIND, with a real answer in BENCH_ANSWER and the secret of the tokens in BENCH_SECRET

const { headers, body } = JSON.parse(process.env['BENCH_ANSWER'] ?? '{}') as {
  headers: Record<string, string>
  body: string
}
const secret = process.env['BENCH_SECRET'] ?? ''
const answer = JSON.parse(body) as object

const kinds: Record<string, () => HttpServer> = {
  'socket.io'() {
    const http = createServer()
    new Server(http, { serveClient: false }).on('connection', (socket) => {
      socket.on('ping', (_payload: unknown, ack: (answer: object) => void) => ack({ ok: true, ...answer }))
    })
    return http
  },
  synced() {
    const http = createServer()
    const answerSynced = afterSync()
    new Server(http, { serveClient: false }).on('connection', (socket) => {
      socket.on('ping', (_payload: unknown, ack: (answer: object) => void) =>
        answerSynced(() => ack({ ok: true, ...answer })),
      )
    })
    return http
  },
  /** Checks the token, and answers a subscription with what it was given: a third round trip, and nothing is read. */
  subscribing() {
    const http = createServer()
    const key = createSecretKey(Buffer.from(secret))
    const io = new Server(http, { serveClient: false })
    io.use(({ handshake }, next) => {
      jwt.verify(handshake.auth['token'], key)
      next()
    })
    io.on('connection', (socket) => {
      socket.on('subscribe', (_payload: unknown, ack: (answer: object) => void) => ack({ ok: true, ...answer }))
    })
    return http
  },
  ws() {
    const http = createServer()
    const text = `430[${JSON.stringify({ ok: true, ...answer })}]`
    new WebSocketServer({ server: http }).on('connection', (socket) => {
      socket.on('message', () => socket.send(text))
    })
    return http
  },
  http: () => createServer((_req, res) => res.writeHead(200, headers).end(body)),
  'synced http'() {
    const answerSynced = afterSync()
    return createServer((_req, res) => answerSynced(() => res.writeHead(200, headers).end(body)))
  },
  express() {
    const app = express()
    app.use((req, res, next) => {
      res.locals['claims'] = jwt.verify(req.headers.authorization?.replace('Bearer ', '') ?? '', secret)
      next()
    })
    app.post('/api/livestreams/:id/heartbeat', (_req, res) => void res.json(answer))
    return createServer(app)
  },
}

/** Runs what it is given when a page that was written after that is on disk: all of a turn, and of a wait, together. */
function afterSync(): (answer: () => void) => void {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))
  const file = openSync(join(folder, 'log'), 'w')
  rmSync(folder, { recursive: true })
  const page = Buffer.alloc(4_096, 1)
  let filling: (() => void)[] = []
  let isBusy = false

  function write(): void {
    const batch = filling
    filling = []
    isBusy = batch.length > 0
    if (!isBusy) return
    writeSync(file, page, 0, page.length, 0)
    fdatasync(file, (error) => {
      if (error) throw error
      for (const answer of batch) answer()
      setImmediate(write)
    })
  }

  return (answer) => {
    filling.push(answer)
    if (isBusy) return
    isBusy = true
    setImmediate(write)
  }
}

const http = kinds[process.argv[2] ?? '']?.()
http?.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}"`)
})
