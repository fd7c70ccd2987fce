import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { type Clock, systemClock } from '../server/clock.js'
import { createMetering, type Metering } from '../server/services/metering.js'
import { clockOf, type SharedClock } from '../server/services/shared-clock.js'
import { sweepOnce } from '../server/services/sweep.js'
import { serverTimekeeper } from '../server/services/timekeeper.js'
import type { DatabaseConfig } from '../server/settings.js'
import { type Database, openDatabase } from '../server/store/database.js'
import { migrate } from '../server/store/migrate.js'
import { insertStamp } from '../server/store/stamps.js'
import { startPostgres } from '../test/support/postgres.js'
import type { Limit, LimitForm } from './charging-limit.js'
import { postgresLimit } from './charging-limit-postgres.js'
import { sqliteLimit } from './charging-limit-sqlite.js'
import { type Charged, type Contestant, type Turns, tellCharging } from './charging-result.js'
import { fillWithLiveRuns } from './live-runs.js'
import { median } from './result.js'

// Deductions a second with many live runs, of which none, one in a hundred or all are due, beside statements written by hand
// that write the same rows in batches of the same size and decide nothing; in turn, on one database.
//   npm run bench:charging [-- sqlite|postgres] [--live 10000,100000,1000000] [--pairs 3]

const HOUR_MS = 3_600_000
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { live: { type: 'string', default: '10000,100000,1000000' }, pairs: { type: 'string', default: '3' } },
})
const counts = values.live.split(',').map(Number)
const pairs = Number(values.pairs)
const kinds = positionals.length > 0 ? positionals : ['sqlite', 'postgres']
/** How many deductions a turn makes at most. */
const MOST: Record<string, number> = { sqlite: 5_000, postgres: 10_000 }
/** How many a turn makes with one in a hundred due, in several passes where those are fewer. */
const SOME = 1_000
const IDLE_PASSES = 500

/** A clock that stands still until it is moved on by hand; where the real one is the database's, that is asked as often. */
function movable(clock: Clock | SharedClock): { clock: Clock | SharedClock; moveOn: (ms: number) => void } {
  let at = clock.now()
  const moved: Clock = { now: () => at, wallNow: () => at }
  return {
    clock: 'heard' in clock ? { ...moved, heard: () => at } : moved,
    moveOn(ms) {
      at += ms
    },
  }
}

interface Stage {
  /** Deductions of one turn; how long they took, in ms. */
  ours(count: number): Promise<number>
  limit(form: LimitForm, count: number): Promise<number>
  idlePass(): Promise<number>
  moveOn(ms: number): void
}

async function setUp(database: Database, limit: Limit, live: number): Promise<Stage> {
  const { db } = database
  await migrate(db)
  const { clock, moveOn } = movable(await clockOf(database, systemClock()))
  const began = performance.now()
  await fillWithLiveRuns(db, { count: live, dueAt: clock.now() + HOUR_MS, spreadMs: HOUR_MS })
  console.log(
    `${live.toLocaleString('en')} live runs put there in ${((performance.now() - began) / 1_000).toFixed(0)} s`,
  )
  const metering = createMetering({
    db,
    clock,
    timekeeper: serverTimekeeper(clock, 'bench'),
    announce: () => undefined,
  })
  /** What passed since the last turn was no outage. */
  const stamp = () => insertStamp(db, clock.now(), 'bench')
  return {
    moveOn,
    limit: (form, count) => limit.charge(form, count, clock.now()),
    async ours(count) {
      await stamp()
      const { metering: bounded, deductions } = upTo(metering, count)
      const began = performance.now()
      await sweepOnce(bounded, clock, { others: 'leave' })
      const took = performance.now() - began
      if (deductions() !== count) throw new Error(`${deductions()} deductions, not ${count}`)
      return took
    },
    async idlePass() {
      await stamp()
      const began = performance.now()
      for (let pass = 0; pass < IDLE_PASSES; pass += 1) await sweepOnce(metering, clock, { others: 'leave' })
      return (performance.now() - began) / IDLE_PASSES
    },
  }
}

/** A metering that says that nothing more is due after so many deductions. */
function upTo(metering: Metering, count: number): { metering: Metering; deductions: () => number } {
  let done = 0
  const settleDue: Metering['settleDue'] = async (position, limit, options) => {
    if (done >= count) return { position, outcomes: [], unsettled: [], more: false }
    const pass = await metering.settleDue(position, Math.min(limit, count - done), options)
    for (const { entries } of pass.outcomes) done += entries.length
    return pass
  }
  return { metering: { ...metering, settleDue }, deductions: () => done }
}

async function inTurn(
  title: string,
  contestants: readonly Contestant[],
  turn: (contestant: Contestant) => Promise<number>,
): Promise<Turns> {
  const turns: Turns = { ours: [], guarded: [], bare: [], insert: [] }
  // The first is thrown away: code is compiled and plans are made in it.
  for (let pair = 0; pair <= pairs; pair += 1) {
    for (const contestant of contestants) {
      const perSecond = await turn(contestant)
      if (pair > 0) turns[contestant].push(perSecond)
    }
  }
  const told = contestants.map((contestant) => `${contestant} ${Math.round(median(turns[contestant]))}`)
  const over = (form: LimitForm) => median(turns.ours.map((own, i) => own / (turns[form][i] ?? Number.NaN)))
  console.log(
    `${title}: ${told.join(', ')}; over guarded ${over('guarded').toFixed(2)}, bare ${over('bare').toFixed(2)}`,
  )
  return turns
}

async function measure(kind: string, live: number, stage: Stage): Promise<Charged> {
  const perform = async (who: Contestant, count: number): Promise<number> =>
    who === 'ours' ? stage.ours(count) : stage.limit(who, count)
  const title = `${kind}, ${live.toLocaleString('en')} live`
  await stage.idlePass()
  const idlePassMs = await stage.idlePass()
  console.log(`${title}, nothing due: ${(idlePassMs * 1_000).toFixed(0)} µs a pass`)

  stage.moveOn(HOUR_MS)
  const hundredth = live / 100
  const some = Math.min(SOME, hundredth)
  let left = 0
  const onePercent = await inTurn(`${title}, 1 % due`, ['ours', 'guarded', 'bare'], async (who) => {
    let took = 0
    for (let done = 0; done < SOME; done += some) {
      if (left < some) {
        stage.moveOn(HOUR_MS / 100)
        left += hundredth
      }
      took += await perform(who, some)
      left -= some
    }
    return (SOME * 1_000) / took
  })
  if (left > 0) await stage.ours(left)
  left = 0

  const count = Math.min(MOST[kind] ?? live, live)
  const all = await inTurn(`${title}, all due`, ['ours', 'guarded', 'bare', 'insert'], async (who) => {
    if (left < count) {
      stage.moveOn(HOUR_MS)
      left += live
    }
    if (who !== 'insert') left -= count
    return (count * 1_000) / (await perform(who, count))
  })
  return { live, idlePassMs, onePercent, all }
}

async function onSqlite(): Promise<Charged[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))
  const charged: Charged[] = []
  try {
    for (const live of counts) {
      const file = join(folder, `${live}.db`)
      const database = openDatabase({ kind: 'sqlite', file })
      const limit = sqliteLimit(file)
      charged.push(await measure('sqlite', live, await setUp(database, limit, live)))
      await limit.close()
      await database.close()
      rmSync(file)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return charged
}

async function onPostgres(): Promise<Charged[]> {
  const postgres = await startPostgres({ fsync: 'on', shared_buffers: '1GB', max_wal_size: '4GB' })
  const at = (name: string): DatabaseConfig & { url: string } => {
    const url = Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href
    return { kind: 'postgres', url, poolSize: 2, statementTimeoutMs: 10_000, retryForMs: 1_000 }
  }
  const system = openDatabase(at('postgres'))
  const charged: Charged[] = []
  try {
    for (const live of counts) {
      const name = `live_${live}`
      await sql.raw(`create database ${name}`).execute(system.db)
      const database = openDatabase(at(name))
      const limit = await postgresLimit(at(name).url)
      charged.push(await measure('postgres', live, await setUp(database, limit, live)))
      await limit.close()
      await database.close()
      await sql.raw(`drop database ${name}`).execute(system.db)
    }
  } finally {
    await system.close()
    await postgres.stop()
  }
  return charged
}

const options = process.argv.slice(2)
const told = { pairs, options: options.length > 0 ? ['--', ...options] : [] }
if (kinds.includes('sqlite')) tellCharging('SQLite', await onSqlite(), told)
if (kinds.includes('postgres')) tellCharging('PostgreSQL', await onPostgres(), told)
