import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { openDatabase } from '../server/store/database.js'
import { migrate } from '../server/store/migrate.js'
import { goLive } from '../test/support/many-sellers.js'
import { startPostgres } from '../test/support/postgres.js'
import { hasRedis, NO_REDIS, startRedis } from '../test/support/redis.js'
import { sqliteLimit } from './charging-limit-sqlite.js'
import type { ConnectOrder, Heard } from './connect-client.js'
import type { Doors, Lateness, Order } from './punctual-contestant.js'
import { startPusher } from './push-contest.js'
import { median, percentile, saveResult } from './result.js'
import { startWorker } from './worker.js'

// How late deadlines are met: ours beside delayed jobs of BullMQ (Redis) and pg-boss (PostgreSQL) that do the same deduction.
// All at one instant, and spread over a minute; in turn, in one run.
//   npm run bench:punctuality [-- --pairs 3 --deadlines 10000]

const { values } = parseArgs({
  options: { pairs: { type: 'string', default: '3' }, deadlines: { type: 'string', default: '10000' } },
})
const pairs = Number(values.pairs)
const deadlines = Number(values.deadlines)
const count = deadlines.toLocaleString('en')
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

const CONTESTANTS = {
  'ours, SQLite': { by: 'sweep', on: 'sqlite' },
  'BullMQ, SQLite': { by: 'bullmq', on: 'sqlite' },
  'ours, PostgreSQL': { by: 'sweep', on: 'postgres' },
  'pg-boss, PostgreSQL': { by: 'pg-boss', on: 'postgres' },
} as const
type Name = keyof typeof CONTESTANTS
const NAMES = Object.keys(CONTESTANTS) as Name[]

if (!hasRedis) throw new Error(NO_REDIS)
const postgres = await startPostgres()
const redis = await startRedis()
const admin = new pg.Client({ connectionString: postgres.url })
await admin.connect()
let made = 0

async function freshDatabase(): Promise<string> {
  made += 1
  await admin.query(`create database bench_${made}`)
  return Object.assign(new URL(postgres.url), { pathname: `/bench_${made}` }).href
}

async function orderFor(name: Name, spreadMs: number): Promise<Order> {
  const { by, on } = CONTESTANTS[name]
  const postgresUrl = on === 'postgres' ? await freshDatabase() : null
  return { by, postgresUrl, redisUrl: redis.url, deadlines, spreadMs, heard: false }
}

async function lateness(name: Name, spreadMs: number): Promise<readonly number[]> {
  const contestant = startWorker('./punctual-contestant.ts')
  const { lateMs } = await contestant.ask<Lateness>(await orderFor(name, spreadMs))
  await contestant.ended()
  console.log(`  ${name.padEnd(20)} ${inWords(lateMs)}`)
  return lateMs
}

interface HeardLate {
  readonly chargedMs: readonly number[]
  readonly heardMs: readonly number[]
}

/** Ours, with a socket for each seller, in another process, that hears of its deduction. */
async function latenessHeard(): Promise<HeardLate> {
  const contestant = startWorker('./punctual-contestant.ts')
  const { url, sellers } = await contestant.ask<Doors>({ ...(await orderFor('ours, SQLite', 0)), heard: true })
  const charged = contestant.next<Lateness>()
  const client = startWorker('./connect-client.ts')
  await client.ask({ kind: 'socket.io', url, sellers, subscribe: true } satisfies ConnectOrder)
  await client.ask('hear')
  const heard = client.next<Heard>()
  const { lateMs, dueAt } = await charged
  const heardMs = (await heard).at.map((at) => at - dueAt)
  await client.end()
  await contestant.end()
  console.log(`  ours, heard          ${inWords(heardMs)}; charged ${inWords(lateMs)}`)
  return { chargedMs: lateMs, heardMs }
}

/** How long the same rows take on SQLite by statements that decide nothing (charging-limit.ts). */
async function byHand(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))
  const file = join(folder, 'bench.db')
  const database = openDatabase({ kind: 'sqlite', file })
  await migrate(database.db)
  const policy = {
    intervalMs: MINUTE_MS,
    warningMs: DAY_MS,
    autoEndMs: 2 * DAY_MS,
    lowCreditThreshold: 0,
    refundGraceMs: 0,
  }
  await goLive(database, { count: deadlines, credits: 100, at: Date.now() - MINUTE_MS, policy })
  await database.close()
  const limit = sqliteLimit(file)
  const tookMs = await limit.charge('guarded', deadlines, Date.now())
  await limit.close()
  rmSync(folder, { recursive: true })
  console.log(`  by hand, SQLite      all within ${ms(tookMs)}`)
  return tookMs
}

/** How long bare Socket.IO takes for one event to each of as many sockets. */
async function bareEmits(): Promise<number> {
  const bare = await startPusher({ by: 'bare', sellers: deadlines, redisUrl: null })
  const took: number[] = []
  // The first two compile.
  for (let round = 0; round < 5; round += 1) took.push((await bare.push()).ms)
  await bare.close()
  const emitMs = median(took.slice(2))
  console.log(`  ${count} bare emits    ${ms(emitMs)}`)
  return emitMs
}

const ms = (value: number): string =>
  value < 100 ? `${value.toFixed(1)} ms` : `${Math.round(value).toLocaleString('en')} ms`
const inWords = (lateMs: readonly number[]): string =>
  `median ${ms(median(lateMs))}, 99 % within ${ms(percentile(lateMs, 0.99))}, all within ${ms(Math.max(...lateMs))}`

const atOnce = Object.fromEntries(NAMES.map((name) => [name, [] as (readonly number[])[]])) as Record<Name, number[][]>
const heard: HeardLate[] = []
const byHandMs: number[] = []
let emitMs = 0
const spread = {} as Record<Name, readonly number[]>
try {
  for (let pair = 1; pair <= pairs; pair += 1) {
    console.log(`round ${pair} of ${pairs}: ${deadlines} deadlines at one instant`)
    for (const name of NAMES) atOnce[name].push([...(await lateness(name, 0))])
    heard.push(await latenessHeard())
    byHandMs.push(await byHand())
  }
  emitMs = await bareEmits()
  console.log(`${deadlines} deadlines spread over a minute`)
  for (const name of NAMES) spread[name] = await lateness(name, MINUTE_MS)
} finally {
  await admin.end()
  await redis.kill()
  await postgres.stop()
}

const p99 = (name: Name): number[] => atOnce[name].map((late) => percentile(late, 0.99))
const ratios = (name: Name, beside: Name): number[] => p99(name).map((own, i) => own / (p99(beside)[i] ?? Number.NaN))
const withoutSockets = p99('ours, SQLite')
const beyond = heard.map(({ heardMs }, i) => (percentile(heardMs, 0.99) - (withoutSockets[i] ?? Number.NaN)) / emitMs)
const overByHand = (beside: Name): string =>
  `statements by hand that decide nothing, with the same triggers, take ${ms(median(byHandMs))}, which is ${(median(byHandMs) / median(p99(beside))).toFixed(3)}`
const rowOf = (name: string, rounds: readonly (readonly number[])[]): string[] => [
  name,
  ms(median(rounds.map((late) => median(late)))),
  ms(median(rounds.map((late) => percentile(late, 0.99)))),
  ms(median(rounds.map((late) => Math.max(...late)))),
]
const columns = ['who', 'median', '99 % within', 'all within']
saveResult('punctuality', {
  title: 'Punctuality',
  command: 'npm run bench:punctuality',
  about:
    `How late ${count} deductions are committed that fall due at one instant (${pairs} rounds in turn), and that are spread over a minute. ` +
    'BullMQ (concurrency 100, SQLite with synchronous=FULL) and pg-boss (batches of 250, its shortest polling of 0.5 s) keep a delayed job for each seller, which settles that ' +
    'seller by the same code as a request does. PostgreSQL runs without fsync for all. Their jobs do not schedule the next interval, as ours does.',
  tables: [
    { title: `${count} deadlines at one instant`, columns, rows: NAMES.map((name) => rowOf(name, atOnce[name])) },
    {
      title: `${count} deadlines at one instant, each with a socket that hears of it`,
      columns,
      rows: [
        rowOf(
          'ours, SQLite, charged',
          heard.map(({ chargedMs }) => chargedMs),
        ),
        rowOf(
          'ours, SQLite, heard',
          heard.map(({ heardMs }) => heardMs),
        ),
      ],
    },
    { title: `${count} deadlines over a minute`, columns, rows: NAMES.map((name) => rowOf(name, [spread[name]])) },
  ],
  charts: [
    {
      title: `99th percentile lateness of ${count} deadlines at one instant`,
      unit: 'ms',
      better: 'lower',
      bars: NAMES.map((name) => ({
        label: name,
        value: median(p99(name)),
        who: name.startsWith('ours') ? ('ours' as const) : ('other' as const),
      })),
    },
  ],
  targets: [
    {
      what: `${count} deadlines at one instant: 99th percentile lateness until charged, over BullMQ's`,
      bound: 'at most',
      goal: 0.1,
      floor: overByHand('BullMQ, SQLite'),
      measured: ratios('ours, SQLite', 'BullMQ, SQLite'),
    },
    {
      what: `${count} deadlines at one instant: 99th percentile lateness until charged, over pg-boss's`,
      bound: 'at most',
      goal: 0.02,
      floor: overByHand('pg-boss, PostgreSQL'),
      measured: ratios('ours, SQLite', 'pg-boss, PostgreSQL'),
    },
    {
      what: `${count} deadlines at one instant: heard later than charged without sockets, both at the 99th percentile, over the time of ${count} bare emits`,
      bound: 'at most',
      goal: 1,
      floor: 'charging and pushing have one thread beside a client that hears on the other core; see the notes',
      measured: beyond,
    },
  ],
  notes: [
    `Bare Socket.IO takes ${ms(emitMs)} for an event to each of ${count} sockets, until the last has heard.`,
    'Heard: an event is heard within a millisecond of its commit. But beside 10,000 sockets, and a client that parses what they hear ' +
      'on the other core, the commits themselves come later: a profile of 1,080 ms shows 425 in SQLite, 200 in pushing, which is what bare Socket.IO takes, ' +
      '208 in garbage collection of a heap that holds the sockets (20 without; most of it two collections of the whole heap, which has just grown), and 240 in deciding. With ' +
      'NODE_OPTIONS=--max-semi-space-size=64 the last was heard after 910 ms instead of 1,090.',
    'Of the time for each of 10,000 that are charged at once, a profile with the stacks of native code has 30 % in the statements, 22 in commits and checkpoints, ' +
      '11 in handing values over and reading them back, 6 in writing events as JSON, 4 in garbage collection, and the rest in many small parts.',
    'Tried: checkpoints of 20,000 ' +
      'pages instead of the 4,000 that are kept (116 to 94 µs for each of 100,000, and five times as much to copy in one piece), no index of entries by livestream, and no autoincrement (nothing). The young generation, which V8 shrinks while little happens, is full often at first: kept ' +
      'large (--min-semi-space-size=16) it takes 7 % less, and memory that an idle server does not need.',
  ],
})
console.log(`heard after charged, over bare emits ${median(beyond).toFixed(2)} (at most 1)`)
console.log(`beside BullMQ ${median(ratios('ours, SQLite', 'BullMQ, SQLite')).toFixed(3)} (at most 0.1)`)
console.log(`beside pg-boss ${median(ratios('ours, SQLite', 'pg-boss, PostgreSQL')).toFixed(4)} (at most 0.02)`)
