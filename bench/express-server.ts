import { createSecretKey } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import express from 'express'
import jwt from 'jsonwebtoken'
import { openKept } from '../server/store/kept-sqlite.js'

// What the REST routes are measured against: Express as it comes, a token check, one indexed read, and the same answer.
//   express-server.ts DATABASE, with the answers of the real routes in BENCH_ANSWERS and the secret of the tokens in BENCH_SECRET

/** A route as Express names it, and what it answers. */
export interface BareRoute {
  readonly method: 'get' | 'post'
  readonly path: string
  readonly answer: object
}

const routes = JSON.parse(process.env['BENCH_ANSWERS'] ?? '[]') as BareRoute[]
const key = createSecretKey(Buffer.from(process.env['BENCH_SECRET'] ?? ''))
const database = openKept(process.argv[2] ?? '', { readonly: true })
const account = database.prepare('select balance, last_seq from credit_accounts where seller_id = ?')

const app = express()
app.use((req, res, next) => {
  const token = req.headers.authorization?.replace('Bearer ', '') ?? ''
  res.locals['claims'] = jwt.verify(token, key, { algorithms: ['HS256'] })
  next()
})
for (const { method, path, answer } of routes) {
  app[method](path, (_req, res) => {
    if (!account.get((res.locals['claims'] as { sub: string }).sub)) throw new Error('there is no such seller')
    res.json(answer)
  })
}
const http = app.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}"`)
})
