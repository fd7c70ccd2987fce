import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { systemClock } from '../server/clock.js'
import { Refusal } from '../server/domain/errors.js'
import { createLog } from '../server/log.js'
import { moveSellerCredits } from '../server/services/credits.js'
import { createHeartbeats } from '../server/services/heartbeats.js'
import { createLivestreams } from '../server/services/livestreams.js'
import { createMetering } from '../server/services/metering.js'
import { createPresence } from '../server/services/presence.js'
import { clockOf } from '../server/services/shared-clock.js'
import { sweepOnce } from '../server/services/sweep.js'
import { serverTimekeeper } from '../server/services/timekeeper.js'
import { auditDatabase } from '../server/store/audit.js'
import { openDatabase } from '../server/store/database.js'
import { migrate } from '../server/store/migrate.js'
import type { Identity } from '../server/tokens.js'
import { startPostgres } from '../test/support/postgres.js'
import { recordHeartbeat } from '../test/support/record-heartbeat.js'

// Sixteen writers on 300 sellers of one PostgreSQL, four of each kind on four servers: how many transactions end in a
// deadlock, which is undone and tried again. At most one in 10,000.
//   npm run bench:contention [SECONDS]

const SELLERS = 300
const SERVERS = 4
const seconds = Number(process.argv[2] ?? 60)
const policy = {
  intervalMs: 1_000,
  warningMs: 2_000,
  autoEndMs: 4_000,
  lowCreditThreshold: 2,
  refundGraceMs: 500,
}
const log = createLog({ level: 'silent', pretty: false })
const postgres = await startPostgres()
const config = {
  kind: 'postgres',
  url: postgres.url,
  poolSize: 10,
  statementTimeoutMs: 10_000,
  retryForMs: 5_000,
} as const
const done = { heartbeats: 0, sweeps: 0, grants: 0, 'starts and ends': 0, refused: 0 }
let keys = 0
let isOver = false

const sellerOf = (n: number) => `seller-${n}`
const streamOf = (n: number) => `stream-${n}`
const any = () => Math.floor(Math.random() * SELLERS)
const identity = (sub: string, role: Identity['role'] = 'seller'): Identity => ({ sub, role, expiresAt: 9e15 })

async function startServer(name: string) {
  const database = openDatabase(config)
  const clock = await clockOf(database, systemClock())
  const { db } = database
  const timekeeper = serverTimekeeper(clock, name)
  const metering = createMetering({ db, clock, timekeeper, announce: () => undefined })
  const heartbeats = createHeartbeats({ metering, clock, timekeeper, log, onRecorded: () => undefined })
  const presence = createPresence(db, clock, name, log)
  const livestreams = createLivestreams({ metering, presence, clock, policy, timeScaleAllowed: true })
  const grant = (n: number, amount: number) => {
    keys += 1
    return moveSellerCredits(metering, policy, { sellerId: sellerOf(n), amount, idempotencyKey: `key-${keys}` })
  }
  return { database, clock, timekeeper, metering, heartbeats, livestreams, grant }
}

async function again(what: keyof typeof done, act: () => Promise<unknown>): Promise<void> {
  while (!isOver) {
    try {
      await act()
      done[what] += 1
    } catch (error) {
      // Not live, already live, no credits left: that is what such a crowd gets to hear.
      if (!(error instanceof Refusal) || error.code === 'temporarily_unavailable') throw error
      done.refused += 1
    }
  }
}

const first = openDatabase(config)
await migrate(first.db)
const servers = await Promise.all(Array.from({ length: SERVERS }, (_, i) => startServer(`server-${i}`)))
const [one] = servers
if (!one) throw new Error('no server')
await one.timekeeper.stamp(first.db)
for (let n = 0; n < SELLERS; n += 1) {
  await one.livestreams.create({ title: 'T', id: streamOf(n), sellerId: sellerOf(n) }, identity('host', 'service'))
  await one.grant(n, 50)
}
const before = await counted()
const writers = servers.flatMap((server) => [
  again('heartbeats', async () => {
    // A crowd, in any order, of which each turn makes a batch.
    const crowd = Array.from({ length: 100 }, any)
    const beats = crowd.map((n) =>
      recordHeartbeat(server.heartbeats, streamOf(n), identity(sellerOf(n))).catch(() => undefined),
    )
    await Promise.all(beats)
  }),
  again('sweeps', async () => {
    await sweepOnce(server.metering, server.clock, { others: 'leave' })
    await sleep(20)
  }),
  again('grants', () => server.grant(any(), 1 + Math.floor(Math.random() * 5))),
  again('starts and ends', async () => {
    const n = any()
    const act = Math.random() < 0.6 ? server.livestreams.start : server.livestreams.end
    await act(streamOf(n), identity(sellerOf(n)))
  }),
])
for (let left = seconds; left > 0; left -= 10) {
  await Promise.race([sleep(Math.min(left, 10) * 1_000), Promise.all(writers)])
  console.log(`${seconds - left + Math.min(left, 10)} s: ${JSON.stringify(done)}`)
}
isOver = true
await Promise.all(writers)
// PostgreSQL counts once a second or so.
await sleep(2_000)
const after = await counted()
const transactions = after.transactions - before.transactions
const deadlocks = after.deadlocks - before.deadlocks
const { breaches } = await auditDatabase(first.db)
console.log(
  `${transactions} transactions by 16 writers on ${SELLERS} sellers in ${seconds} s, ${deadlocks} deadlocks: ` +
    `${((deadlocks / transactions) * 10_000).toFixed(2)} in 10,000 (at most 1); the audit finds ${breaches.length} breaches`,
)
for (const { rule, text } of breaches) console.log(`${rule}: ${text}`)
for (const { database } of servers) await database.close()
await first.close()
await postgres.stop()
process.exit(deadlocks * 10_000 > transactions || breaches.length > 0 ? 1 : 0)

async function counted(): Promise<{ transactions: number; deadlocks: number }> {
  const { rows } = await sql<{ transactions: number; deadlocks: number }>`
    select xact_commit + xact_rollback as transactions, deadlocks from pg_stat_database
    where datname = current_database()`.execute(first.db)
  return rows[0] ?? { transactions: 0, deadlocks: 0 }
}
