import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import PgBoss from 'pg-boss'
import { systemClock } from '../server/clock.js'
import type { Outcome } from '../server/domain/outcome.js'
import { createLog } from '../server/log.js'
import { createMetering } from '../server/services/metering.js'
import { startPulse } from '../server/services/pulse.js'
import { clockOf } from '../server/services/shared-clock.js'
import { startSweep } from '../server/services/sweep.js'
import { serverTimekeeper } from '../server/services/timekeeper.js'
import type { DatabaseConfig } from '../server/settings.js'
import { openDatabase } from '../server/store/database.js'
import { migrate } from '../server/store/migrate.js'
import { goLive, type LiveSeller } from '../test/support/many-sellers.js'
import { type BenchSeller, sign } from './servers.js'
import { openSocketDoor } from './socket-door.js'

// One contestant of bench/punctuality.ts, in a process of its own: sellers who are live, and deadlines that it is to meet.
// Whoever is woken for a seller, by our sweep or by a job, does the same deduction, by the same code and on the same database.

export interface Order {
  readonly by: 'sweep' | 'bullmq' | 'pg-boss'
  /** Of a fresh PostgreSQL database; null for SQLite. */
  readonly postgresUrl: string | null
  readonly redisUrl: string
  readonly deadlines: number
  /** Over how long the deadlines are spread; 0 for one instant. */
  readonly spreadMs: number
  /** Whether there is a socket door, whose address is told first, so that each seller can listen. */
  readonly heard: boolean
}

/** What a contestant with a door tells before the deadlines. */
export interface Doors {
  readonly url: string
  readonly sellers: readonly BenchSeller[]
}

export interface Lateness {
  /** Of each deadline, in milliseconds, until its deduction was committed. */
  readonly lateMs: readonly number[]
  /** The first deadline, on the wall clock. */
  readonly dueAt: number
}

/** From the first write to the first deadline: longer than any contestant takes to prepare. */
const LEAD_MS = 30_000
/** The same where each seller opens a socket first. */
const LEAD_TO_BE_HEARD_MS = 60_000
const GIVE_UP_AFTER_MS = 120_000
const STEP_MS = 100
const DAY_MS = 86_400_000

const log = createLog({ level: 'warn', pretty: false })
const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))

function configOf({ postgresUrl }: Order): DatabaseConfig {
  if (postgresUrl === null) return { kind: 'sqlite', file: join(folder, 'bench.db') }
  return { kind: 'postgres', url: postgresUrl, poolSize: 10, statementTimeoutMs: 60_000, retryForMs: 5_000 }
}

async function run(order: Order): Promise<Lateness> {
  const { deadlines, spreadMs, heard } = order
  const leadMs = heard ? LEAD_TO_BE_HEARD_MS : LEAD_MS
  const database = openDatabase(configOf(order))
  const { db } = database
  await migrate(db)
  const clock = await clockOf(database, systemClock())
  const timekeeper = serverTimekeeper(clock, 'bench')

  const began = Date.now()
  const policy = {
    intervalMs: leadMs + spreadMs,
    warningMs: DAY_MS,
    autoEndMs: 2 * DAY_MS,
    lowCreditThreshold: 0,
    refundGraceMs: 0,
  }
  const dueOf = new Map<string, number>()
  const live: LiveSeller[] = []
  const steps = Math.max(1, spreadMs / STEP_MS)
  for (let step = 0; step < steps; step += 1) {
    const at = began - spreadMs + step * STEP_MS
    const count = Math.round(((step + 1) * deadlines) / steps) - Math.round((step * deadlines) / steps)
    const sellers = await goLive(database, { count, credits: 100, at, policy })
    for (const { id } of sellers) dueOf.set(id, at + policy.intervalMs)
    live.push(...sellers)
  }
  const dueAt = Math.min(...dueOf.values())

  const lateMs: number[] = []
  let allDone: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    allDone = resolve
  })
  function announce(outcome: Outcome): void {
    const dueAt = dueOf.get(outcome.sellerId)
    if (dueAt === undefined || outcome.entries.length === 0) return
    // Once for each seller: a second interval is none of the deadlines.
    dueOf.delete(outcome.sellerId)
    lateMs.push(performance.timeOrigin + performance.now() - dueAt)
    if (dueOf.size === 0) allDone()
  }
  const door = heard
    ? await openSocketDoor({ database, clock, timekeeper, policy, redisUrl: null, log, onCommitted: announce })
    : null
  const metering = door?.metering ?? createMetering({ db, clock, timekeeper, announce })
  await timekeeper.stamp(db)
  const pulse = startPulse({ db, timekeeper, log, also: async () => undefined })
  const jobs = [...dueOf].map(([sellerId, dueAt]) => ({ sellerId, dueAt }))
  const deduct = (sellerId: string): Promise<void> => metering.withSeller(sellerId, () => undefined)
  if (door) {
    const sellers = live.map(({ id, livestreamId }) => ({ token: sign(id, 'seller'), livestreamId }))
    process.send?.({ url: door.url, sellers } satisfies Doors)
  }
  const stop = await start(order, jobs, deduct, () => startSweep(metering, clock, 5_000, log))
  const spare = dueAt - Date.now()
  if (spare < 1_000) throw new Error(`${order.by} was ready ${-spare} ms after the first deadline: raise LEAD_MS`)
  const limit = setTimeout(allDone, leadMs + spreadMs + GIVE_UP_AFTER_MS)
  await done
  clearTimeout(limit)
  if (dueOf.size > 0) throw new Error(`${order.by} left ${dueOf.size} deadlines undone`)
  await stop()
  await pulse.stop()
  // Its sockets are closed by their clients, which have to hear first.
  if (!door) await database.close()
  return { lateMs, dueAt }
}

interface Job {
  readonly sellerId: string
  readonly dueAt: number
}

/** Has the deadlines met from now on, and returns how to stop that. */
async function start(
  { by, postgresUrl, redisUrl }: Order,
  jobs: readonly Job[],
  deduct: (sellerId: string) => Promise<void>,
  sweep: () => { stop(): Promise<void> },
): Promise<() => Promise<void>> {
  if (by === 'sweep') {
    const loop = sweep()
    return () => loop.stop()
  }
  if (by === 'bullmq') {
    const connection = new Redis(redisUrl, { maxRetriesPerRequest: null })
    const queue = new Queue<Job>('deductions', { connection })
    for (let from = 0; from < jobs.length; from += 1_000) {
      await queue.addBulk(
        jobs.slice(from, from + 1_000).map((data) => ({
          name: 'deduct',
          data,
          opts: { delay: data.dueAt - Date.now(), removeOnComplete: true },
        })),
      )
    }
    const worker = new Worker<Job>('deductions', async ({ data }) => deduct(data.sellerId), {
      connection,
      concurrency: 100,
    })
    await worker.waitUntilReady()
    return async () => {
      await worker.close()
      await queue.obliterate({ force: true })
      await queue.close()
      connection.disconnect()
    }
  }
  const boss = new PgBoss({ connectionString: postgresUrl ?? '' })
  boss.on('error', (error) => log.warn({ err: error }, 'pg-boss'))
  await boss.start()
  await boss.createQueue('deductions')
  for (let from = 0; from < jobs.length; from += 1_000) {
    await boss.insert(
      jobs.slice(from, from + 1_000).map((data) => ({ name: 'deductions', data, startAfter: new Date(data.dueAt) })),
    )
  }
  // The shortest polling that it allows, and batches as large as ours.
  await boss.work<Job>('deductions', { batchSize: 250, pollingIntervalSeconds: 0.5 }, async (batch) => {
    await Promise.all(batch.map(({ data }) => deduct(data.sellerId)))
  })
  // Its own stop runs into deadlocks now and then; it has a database of its own, and ends with the process.
  return () => Promise.resolve()
}

process.once('message', async (order: Order) => {
  try {
    process.send?.(await run(order))
    // Its clients have to hear before it ends.
    if (order.heard) await once(process, 'message')
  } finally {
    rmSync(folder, { recursive: true, force: true })
    process.disconnect()
  }
  // What a contestant leaves open does not hold it.
  setTimeout(() => process.exit(), 500).unref()
})
