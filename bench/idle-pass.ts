import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { systemClock } from '../server/clock.js'
import { createMetering } from '../server/services/metering.js'
import { clockOf } from '../server/services/shared-clock.js'
import { sweepOnce } from '../server/services/sweep.js'
import { serverTimekeeper } from '../server/services/timekeeper.js'
import type { DatabaseConfig } from '../server/settings.js'
import { type Database, openDatabase } from '../server/store/database.js'
import { migrate } from '../server/store/migrate.js'
import { startPostgres } from '../test/support/postgres.js'
import { fillWithLiveRuns } from './live-runs.js'
import { median, saveResult, type Table, type Target } from './result.js'

// A pass of the sweep with nothing due, with 1,000 and with a million live runs, on SQLite and PostgreSQL: it costs the same.
//   npm run bench:idle-pass [-- MOST]
// MOST is how many live runs are many.

const FEW = 1_000
const MANY = Number(process.argv[2] ?? 1_000_000)
const ROUNDS = 5
const HOUR_MS = 3_600_000
const machine = systemClock()

async function withLiveRuns(config: DatabaseConfig, count: number): Promise<Database> {
  const began = performance.now()
  const database = openDatabase(config)
  await migrate(database.db)
  await fillWithLiveRuns(database.db, { count, dueAt: machine.now() + HOUR_MS / 2, spreadMs: HOUR_MS / 2 })
  const took = ((performance.now() - began) / 1_000).toFixed(0)
  console.log(`${config.kind}: ${count.toLocaleString('en')} live runs put there in ${took} s`)
  return database
}

async function microsecondsAPass(database: Database, passes: number): Promise<number> {
  const { db } = database
  const clock = await clockOf(database, machine)
  const timekeeper = serverTimekeeper(clock, 'bench')
  const metering = createMetering({ db, clock, timekeeper, announce: () => undefined })
  const began = performance.now()
  for (let pass = 0; pass < passes; pass += 1) await sweepOnce(metering, clock)
  return ((performance.now() - began) * 1_000) / passes
}

const tables: Table[] = []
const targets: Target[] = []

async function compare(name: string, few: Database, many: Database, passes: number): Promise<void> {
  const rounds: { small: number; large: number }[] = []
  // The first is thrown away: statements are prepared and compiled in it.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const small = await microsecondsAPass(few, passes)
    const large = await microsecondsAPass(many, passes)
    if (round > 0) rounds.push({ small, large })
  }
  const ratios = rounds.map(({ small, large }) => large / small)
  const smallest = median(rounds.map(({ small }) => small))
  const largest = median(rounds.map(({ large }) => large))
  console.log(
    `${name}: ${smallest.toFixed(1)} µs a pass with ${FEW.toLocaleString('en')} live, ${largest.toFixed(1)} µs with ` +
      `${MANY.toLocaleString('en')}, ratio ${median(ratios).toFixed(2)} (at most 1.5)`,
  )
  tables.push({
    title: `A pass with nothing due, on ${name}`,
    columns: ['live runs', 'median of a pass'],
    rows: [
      [FEW.toLocaleString('en'), `${smallest.toFixed(1)} µs`],
      [MANY.toLocaleString('en'), `${largest.toFixed(1)} µs`],
    ],
  })
  targets.push({
    what: `a pass with nothing due on ${name}, ${MANY.toLocaleString('en')} live over ${FEW.toLocaleString('en')}`,
    bound: 'at most',
    goal: 1.5,
    measured: ratios,
  })
}

const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))
const postgres = await startPostgres({ shared_buffers: '1GB', max_wal_size: '4GB' })
const open: Database[] = []
const onPostgres = (path: string): DatabaseConfig => {
  const url = Object.assign(new URL(postgres.url), { pathname: path }).href
  return { kind: 'postgres', url, poolSize: 2, statementTimeoutMs: 10_000, retryForMs: 1_000 }
}
try {
  for (const count of [FEW, MANY])
    open.push(await withLiveRuns({ kind: 'sqlite', file: join(folder, `${count}.db`) }, count))
  const [few, many] = open
  if (few && many) await compare('SQLite', few, many, 20_000)

  const fewThere = await withLiveRuns(onPostgres('/postgres'), FEW)
  open.push(fewThere)
  await sql`create database many`.execute(fewThere.db)
  const manyThere = await withLiveRuns(onPostgres('/many'), MANY)
  open.push(manyThere)
  await compare('PostgreSQL', fewThere, manyThere, 2_000)
  saveResult('idle-pass', {
    title: 'A sweep with nothing due',
    command: 'npm run bench:idle-pass',
    about: `A pass of the sweep that finds nothing due, with ${FEW.toLocaleString('en')} and with ${MANY.toLocaleString('en')} live runs, in turn, ${ROUNDS} rounds.`,
    tables,
    charts: [],
    targets,
  })
} finally {
  for (const database of open) await database.close()
  await postgres.stop()
  rmSync(folder, { recursive: true, force: true })
}
