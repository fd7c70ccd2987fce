import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdapter } from '@socket.io/redis-streams-adapter'
import { createClient } from 'redis'
import { Server } from 'socket.io'
import { systemClock } from '../server/clock.js'
import { moveCredits } from '../server/domain/acts.js'
import type { Account } from '../server/domain/ledger.js'
import { conclude, type Outcome } from '../server/domain/outcome.js'
import { settle } from '../server/domain/settle.js'
import { createLog } from '../server/log.js'
import { serverTimekeeper } from '../server/services/timekeeper.js'
import { openDatabase } from '../server/store/database.js'
import { migrate } from '../server/store/migrate.js'
import { applyOutcomes } from '../server/store/outcomes.js'
import { goLive } from '../test/support/many-sellers.js'
import { policy } from './live-server.js'
import type { BenchSeller } from './servers.js'
import { sign } from './servers.js'

// One contestant of bench/push.ts, in a process of its own: sellers who are live, each with a socket, and an event for each.

export interface PushOrder {
  readonly by: 'ours' | 'bare'
  readonly sellers: number
  /** Of a Redis that joins it to others; null where it stands alone. */
  readonly redisUrl: string | null
}

export interface Ready {
  readonly url: string
  readonly sellers: readonly BenchSeller[]
}

/** When it began to push, on the wall clock, finer than its milliseconds. */
export interface Began {
  readonly at: number
}

/** CPU time from the beginning of the push until now. */
export interface Spent {
  readonly cpuMs: number
}

/** So many sellers one transaction grants to. */
const TOGETHER = 250

const log = createLog({ level: 'warn', pretty: false })
const clock = systemClock()
const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))
const database = openDatabase({ kind: 'sqlite', file: join(folder, 'bench.db') })

interface Door {
  readonly url: string
  push(outcome: Outcome): void
}

async function openOurs(redisUrl: string | null): Promise<Door> {
  const { openSocketDoor } = await import('./socket-door.js')
  const timekeeper = serverTimekeeper(clock, 'bench')
  await timekeeper.stamp(database.db)
  return openSocketDoor({ database, clock, timekeeper, policy, redisUrl, log })
}

/** Socket.IO as its manual shows it: every seller has a room. */
async function openBare(redisUrl: string | null, roomOf: ReadonlyMap<string, string>): Promise<Door> {
  const client = redisUrl === null ? null : createClient({ url: redisUrl })
  await client?.connect()
  const http = createServer()
  const io = new Server(http, { serveClient: false, ...(client && { adapter: createAdapter(client) }) })
  io.on('connection', (socket) => {
    socket.on('subscribe', ({ livestream_id }: { livestream_id: string }, ack: (answer: object) => void) => {
      void socket.join(livestream_id)
      ack({ ok: true })
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    push({ sellerId, events }) {
      for (const { kind, payload } of events) io.to(roomOf.get(sellerId) ?? '').emit(kind, payload)
    },
  }
}

/** Grants a credit to every seller, in the database, and returns what there is to be pushed. */
async function grantToAll(accounts: Account[], round: number): Promise<Outcome[]> {
  const all: Outcome[] = []
  for (let from = 0; from < accounts.length; from += TOGETHER) {
    const at = clock.now()
    const outcomes = accounts.slice(from, from + TOGETHER).map((account, offset) => {
      const tally = settle(account, [], [], at)
      moveCredits(tally, 1, { idempotencyKey: `client:push-${round}`, request: '{}', reason: null }, 0)
      const outcome = conclude(tally)
      accounts[from + offset] = { ...account, balance: outcome.balance, lastSeq: outcome.lastSeq }
      return outcome
    })
    await database.db.transaction().execute((tx) => applyOutcomes(tx, outcomes, at))
    all.push(...outcomes)
  }
  return all
}

async function open({ by, sellers: count, redisUrl }: PushOrder): Promise<{ door: Door; accounts: Account[] }> {
  await migrate(database.db)
  const live = await goLive(database, { count, credits: 100, at: clock.now(), policy })
  const rows = await database.db.selectFrom('credit_accounts').selectAll().execute()
  const accounts = rows.map((row) => ({ sellerId: row.seller_id, balance: row.balance, lastSeq: row.last_seq }))
  const roomOf = new Map(live.map(({ id, livestreamId }) => [id, livestreamId]))
  const door = by === 'ours' ? await openOurs(redisUrl) : await openBare(redisUrl, roomOf)
  const sellers = live.map(({ id, livestreamId }) => ({ token: sign(id, 'seller'), livestreamId }))
  process.send?.({ url: door.url, sellers } satisfies Ready)
  return { door, accounts }
}

let opened: Promise<{ door: Door; accounts: Account[] }> | null = null
let outcomes: Outcome[] = []
let round = 0
let cpu = process.cpuUsage()

async function obey(order: PushOrder | 'grant' | 'push' | 'spent' | 'end'): Promise<void> {
  if (typeof order === 'object') {
    opened = open(order)
    return
  }
  if (!opened) throw new Error(`${order} before there is a server`)
  const { door, accounts } = await opened
  if (order === 'grant') {
    round += 1
    outcomes = await grantToAll(accounts, round)
    process.send?.('granted')
  } else if (order === 'push') {
    cpu = process.cpuUsage()
    process.send?.({ at: performance.timeOrigin + performance.now() } satisfies Began)
    for (const outcome of outcomes) door.push(outcome)
  } else if (order === 'spent') {
    const { user, system } = process.cpuUsage(cpu)
    process.send?.({ cpuMs: (user + system) / 1_000 } satisfies Spent)
  } else {
    // Ten thousand farewells would take longer than a round.
    rmSync(folder, { recursive: true, force: true })
    process.exit()
  }
}

process.on('message', (order: PushOrder | 'grant' | 'push' | 'spent' | 'end') => void obey(order))
process.once('disconnect', () => {
  rmSync(folder, { recursive: true, force: true })
  process.exit()
})
