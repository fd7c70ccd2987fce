/**
 * Three servers, PostgreSQL and Redis as real processes, hundreds of clients made by the SDK, and everything that dies, stands
 * still or is cut off; then the audit, and what each client heard against what the database says.
 *
 *   npm run chaos -- [--seconds 180] [--clients 200]
 *
 * All of it on loopback; it ends by itself, with exit code 1 where anything differs.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { auditDatabase } from '../server/store/audit.js'
import { openDatabase } from '../server/store/database.js'
import { faultyWire } from '../test/support/faulty-wire.js'
import { startPostgres } from '../test/support/postgres.js'
import { hasRedis, startRedis } from '../test/support/redis.js'
import { startBalancer } from './balancer.js'
import { askUntilAnswered, type Client, createClient, signer } from './crowd.js'
import { allFaults, inAnyOrder, tell } from './faults.js'
import { serverProcess } from './server-process.js'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '180' }, clients: { type: 'string', default: '200' } },
})
const seconds = Number(values.seconds)
const clientCount = Number(values.clients)
if (!(seconds >= 20 && seconds <= 3_600 && clientCount >= 1 && clientCount <= 2_000)) {
  console.error('usage: npm run chaos -- [--seconds 20..3600] [--clients 1..2000]')
  process.exit(2)
}

const SECRET = 'a secret for the chaos of Tallylight only'
const sign = signer(SECRET)
const say = (text: string) =>
  console.log(`${((performance.now() - beganAt) / 1_000).toFixed(1).padStart(6)} s  ${text}`)
const beganAt = performance.now()
/** How long clients may take to hear what they missed; seconds, but on a machine that has much else to do. */
const LONGEST_SETTLING_MS = 180_000
/** When a run that hangs is given up. */
const LONGEST_MS = seconds * 2_000 + 600_000
setTimeout(() => {
  console.error(`not over after ${LONGEST_MS / 1_000} s`)
  process.exit(1)
}, LONGEST_MS).unref()

const postgres = await startPostgres()
const redis = hasRedis ? await startRedis() : null
if (!redis) say('no redis-server was found: the servers are joined by PostgreSQL alone')
// The third server reaches both over a wire that can be cut.
const postgresWire = await faultyWire(Number(new URL(postgres.url).port))
const redisWire = redis ? await faultyWire(Number(new URL(redis.url).port)) : null
const throughWire = (url: string, port: number) => Object.assign(new URL(url), { port: `${port}` }).href
const errorLines: string[] = []
const servers = [0, 1, 2].map((number) => {
  const isWired = number === 2
  const env: NodeJS.ProcessEnv = {
    DATABASE_URL: isWired ? throughWire(postgres.url, postgresWire.port) : postgres.url,
    JWT_SECRET: SECRET,
    CREDIT_DEDUCTION_INTERVAL: '3s',
    INACTIVITY_WARNING_TIME: '6s',
    INACTIVITY_AUTO_END_TIME: '9s',
    ...(redis && { REDIS_URL: isWired && redisWire ? throughWire(redis.url, redisWire.port) : redis.url }),
  }
  return serverProcess(env, (line) => {
    if (line.includes('"level":"error"') || line.includes('"level":"fatal"')) errorLines.push(line)
  })
})
await servers[0]?.start()
await Promise.all(servers.slice(1).map((server) => server.start()))
const balancer = await startBalancer(() => servers.flatMap((server) => server.port() ?? []))
say(`three servers behind ${balancer.url}`)

const service = sign('host', 'service')
const clients = Array.from({ length: clientCount }, (_, number) => createClient(balancer.url, number, sign))
let keys = 0
async function grant(client: Client, amount: number): Promise<void> {
  keys += 1
  const path = `/api/sellers/${client.sellerId}/credits/`
  const status = await askUntilAnswered(balancer.url, service, path, { amount }, `chaos-${keys}`)
  if (status !== 200 && status !== 201) throw new Error(`a grant was answered with ${status}`)
  granted += amount
}
let granted = 0
for (let from = 0; from < clients.length; from += 20) {
  await Promise.all(
    clients.slice(from, from + 20).map(async (client) => {
      const { sellerId: seller_id, livestreamId: id } = client
      await askUntilAnswered(balancer.url, service, '/api/livestreams/', { title: 'Chaos', id, seller_id }, 'none')
      client.meter.connect()
      await grant(client, 5)
    }),
  )
}
say(`${clients.length} clients`)

let isOver = false
const counts = { starts: 0, ends: 0, refused: 0 }
/** A seller who goes live and ends, and buys now and then. */
async function live(client: Client): Promise<void> {
  while (!isOver) {
    await sleep(500 + Math.random() * 4_000)
    const act = Math.random()
    try {
      if (act < 0.35) {
        await client.meter.start()
        counts.starts += 1
      } else if (act < 0.55) {
        await client.meter.end()
        counts.ends += 1
      } else if (act < 0.8) await grant(client, 1 + Math.floor(Math.random() * 3))
    } catch {
      // No credits left, not live, or no answer in time: that is what sellers are told.
      counts.refused += 1
    }
  }
}

const faults = allFaults({ servers, postgres, redis, wires: redisWire ? [postgresWire, redisWire] : [postgresWire] })
const lives = clients.map(live)
const faultsFrom = performance.now()
for (const fault of inAnyOrder(faults)) {
  // A slow machine takes longer, so that each of them has happened.
  if (performance.now() - faultsFrom > seconds * 1_000 && faults.every(({ count }) => count > 0)) break
  await sleep(1_000 + Math.random() * 2_000)
  await fault.happen()
  fault.count += 1
  const up = clients.filter(({ meter }) => meter.snapshot.connection !== null).length
  say(`${tell(faults)}; ${up} of ${clients.length} clients connected`)
}
isOver = true
const faultsTook = ((performance.now() - faultsFrom) / 1_000).toFixed()
await Promise.all(lives)
say('no more faults: waiting until everybody has heard everything')

const database = openDatabase({
  kind: 'postgres',
  url: postgres.url,
  poolSize: 4,
  statementTimeoutMs: 60_000,
  retryForMs: 5_000,
})
await Promise.all(clients.map(({ meter }) => meter.end().catch(() => undefined)))
const newest = new Map<string, number>()
const settled = performance.now() + LONGEST_SETTLING_MS
while (performance.now() < settled) {
  const rows = await database.db.selectFrom('credit_accounts').select(['seller_id', 'last_seq']).execute()
  for (const { seller_id, last_seq } of rows) newest.set(seller_id, last_seq)
  if (clients.every(({ sellerId, meter }) => meter.snapshot.seq === newest.get(sellerId))) break
  await sleep(200)
}

let differences = 0
for (const { sellerId, heard } of clients) {
  const first = heard[0] ?? 1
  const expected = Array.from({ length: (newest.get(sellerId) ?? 0) - first + 1 }, (_, i) => first + i)
  if (JSON.stringify(heard) === JSON.stringify(expected)) continue
  differences += 1
  console.log(`${sellerId} heard ${heard.join(' ')}, of ${first} to ${newest.get(sellerId)}`)
}
const { checked, breaches } = await auditDatabase(database.db)
for (const { rule, text } of breaches) console.log(`${rule}: ${text}`)
const ledger = await database.db
  .selectFrom('ledger_entries')
  .select(({ fn }) => ['kind', fn.countAll<number>().as('count'), fn.sum<string>('amount').as('amount')])
  .groupBy('kind')
  .execute()
const credited = Number(ledger.find(({ kind }) => kind === 'grant')?.amount ?? 0)
if (credited !== granted) {
  differences += 1
  console.log(`${granted} credits were granted, and ${credited} are in the ledger`)
}
const ends = await database.db
  .selectFrom('runs')
  .select(({ fn }) => ['end_reason', fn.countAll<number>().as('count')])
  .groupBy('end_reason')
  .execute()

for (const { meter } of clients) meter.destroy()
await balancer.close()
await Promise.all(servers.map((server) => server.kill()))
await database.close()
await postgresWire.close()
await redisWire?.close()
await redis?.kill()
await postgres.stop()

const reconnects = clients.reduce((sum, { connections }) => sum + connections, 0)
const list = (of: Record<string, unknown>) =>
  Object.entries(of)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')
console.log(`\nfaults: ${tell(faults)}; ${reconnects} reconnects of ${clients.length} clients in ${faultsTook} s`)
console.log(`asked: ${list(counts)}, ${keys} grants`)
console.log(`database: ${list(checked)}; ${ledger.map(({ kind, count }) => `${count} ${kind}s`).join(', ')}`)
console.log(`runs by end: ${ends.map(({ end_reason, count }) => `${count} ${end_reason ?? 'live'}`).join(', ')}`)
console.log(`error lines of the servers: ${errorLines.length}`)
for (const text of new Set(errorLines.map((line) => `  ${JSON.parse(line).msg}`))) console.log(text)
console.log(`${differences} differences between what clients heard and the database, ${breaches.length} breaches`)
process.exit(differences + breaches.length > 0 ? 1 : 0)
