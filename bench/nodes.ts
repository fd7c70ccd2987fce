import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { systemClock } from '../server/clock.js'
import { createLog } from '../server/log.js'
import { startPulse } from '../server/services/pulse.js'
import { clockOf } from '../server/services/shared-clock.js'
import { LARGEST_BATCH } from '../server/services/slices.js'
import { serverTimekeeper } from '../server/services/timekeeper.js'
import { openDatabase } from '../server/store/database.js'
import { migrate } from '../server/store/migrate.js'
import { startPostgres } from '../test/support/postgres.js'
import { fillWithLiveRuns } from './live-runs.js'
import { median, saveResult } from './result.js'
import type { SweepOrder, SweepReport } from './sweeper.js'
import { AS_BUILT } from './worker.js'

// Deductions a second on PostgreSQL with one, two and four sweeping processes, in turn on one set of a million live runs that
// are all due. More sweepers never slow the total down.
//   npm run bench:nodes [-- --seconds 6 --rounds 3 --runs 1000000]

const COUNTS = [1, 2, 4] as const
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    runs: { type: 'string', default: '1000000' },
  },
})
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)
const runs = Number(values.runs)

const postgres = await startPostgres({ fsync: 'on', shared_buffers: '1GB', max_wal_size: '4GB' })
const database = openDatabase({
  kind: 'postgres',
  url: postgres.url,
  poolSize: 4,
  statementTimeoutMs: 10_000,
  retryForMs: 5_000,
})
const { db } = database
const children: ChildProcess[] = []
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
try {
  await migrate(db)
  const clock = await clockOf(database, systemClock())
  const began = performance.now()
  // All of them due since ten minutes to now, none of them twice before the hour is over.
  await fillWithLiveRuns(db, { count: runs, dueAt: clock.now() - 600_000, spreadMs: 600_000 })
  console.log(`${runs.toLocaleString('en')} live runs, all due, put there in ${secondsSince(began)} s`)
  // So that the time between two turns is no outage.
  const pulse = startPulse({
    db,
    timekeeper: serverTimekeeper(clock, 'bench'),
    log: createLog({ level: 'silent', pretty: false }),
    also: () => Promise.resolve(),
  })
  for (let n = 0; n < Math.max(...COUNTS); n += 1) children.push(await startSweeper(`sweeper-${n}`))
  await turn(2, 3)

  const perSecond = new Map<number, number[]>(COUNTS.map((count) => [count, []]))
  const busy = new Map<number, number[]>(COUNTS.map((count) => [count, []]))
  let told = 0
  const deductedBefore = await deductionsThere()
  for (let round = 0; round < rounds; round += 1) {
    // Each of them is first, second and last as often, since a fuller database is slower.
    for (const index of COUNTS.keys()) {
      const count = COUNTS[(round + index) % COUNTS.length] ?? 1
      const { reports, coresBusy } = await turn(count, seconds)
      busy.get(count)?.push(coresBusy)
      const deductions = sum(reports.map((report) => report.deductions))
      told += deductions
      perSecond.get(count)?.push(deductions / seconds)
      console.log(
        `round ${round + 1}  ${count} sweeping: ${Math.round(deductions / seconds)} deductions a second, ` +
          `${sum(reports.map(({ vain }) => vain))} of ${sum(reports.map(({ batches }) => batches))} batches in vain, ` +
          `${coresBusy.toFixed(2)} cores busy`,
      )
    }
  }
  await pulse.stop()
  const there = (await deductionsThere()) - deductedBefore
  // What was under way at the end of a turn is there, and not counted.
  if (there < told || there > told + rounds * COUNTS.length * 4 * LARGEST_BATCH)
    throw new Error(`${told} told, ${there} there`)
  if (there > runs * 0.95) throw new Error('nothing was due any more: shorten it')
  tell(perSecond, busy)
} finally {
  for (const child of children) if (child.connected) child.disconnect()
  await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')))
  await database.close()
  await postgres.stop()
}

async function startSweeper(name: string): Promise<ChildProcess> {
  const file = fileURLToPath(new URL('./sweeper.ts', import.meta.url))
  const child = fork(file, [postgres.url, name], { execArgv: AS_BUILT })
  await once(child, 'message')
  return child
}

interface Turn {
  readonly reports: readonly SweepReport[]
  /** Of this machine, on average, PostgreSQL's included. */
  readonly coresBusy: number
}

async function turn(count: number, forSeconds: number): Promise<Turn> {
  const from = Date.now() + 200
  const order: SweepOrder = { from, to: from + forSeconds * 1_000 }
  const reports = children.slice(0, count).map(async (child) => {
    child.send(order)
    const [report] = (await once(child, 'message')) as [SweepReport]
    return report
  })
  await sleep(order.from - Date.now())
  const before = coreTimes()
  await sleep(order.to - Date.now())
  const after = coreTimes()
  const done = await Promise.all(reports)
  await sleep(500)
  return { reports: done, coresBusy: (cpus().length * (after.busy - before.busy)) / (after.all - before.all) }
}

function coreTimes(): { busy: number; all: number } {
  const times = cpus().map((core) => core.times)
  const all = sum(times.flatMap((one) => Object.values(one)))
  return { busy: all - sum(times.map(({ idle }) => idle)), all }
}

async function deductionsThere(): Promise<number> {
  const { rows } = await sql<{ there: number }>`
    select count(*) as there from ledger_entries where kind = 'deduction'`.execute(db)
  return rows[0]?.there ?? 0
}

function tell(perSecond: ReadonlyMap<number, number[]>, busy: ReadonlyMap<number, number[]>): void {
  const cores = (count: number) => median(busy.get(count) ?? []).toFixed(2)
  const medians = COUNTS.map((count) => median(perSecond.get(count) ?? []))
  const ratios = (more: number, fewer: number) =>
    (perSecond.get(more) ?? []).map((value, i) => value / (perSecond.get(fewer)?.[i] ?? Number.NaN))
  for (const [i, count] of COUNTS.entries())
    console.log(`${count} sweeping: median ${Math.round(medians[i] ?? 0)} a second`)
  saveResult('nodes', {
    title: 'Several servers that sweep',
    command: `npm run bench:nodes -- --seconds ${seconds} --rounds ${rounds} --runs ${runs}`,
    about:
      `Deductions a second on one PostgreSQL with one, two and four sweeping processes, in turn for ${seconds} s each on one ` +
      `set of ${runs.toLocaleString('en')} live runs that are all due. Commits are on disk (fsync). PostgreSQL runs on the same cores.`,
    tables: [
      {
        title: 'Deductions a second',
        columns: ['sweeping', 'median', 'cores busy', ...Array.from({ length: rounds }, (_, i) => `round ${i + 1}`)],
        rows: COUNTS.map((count, i) => [
          `${count}`,
          whole(medians[i] ?? 0),
          cores(count),
          ...(perSecond.get(count) ?? []).map(whole),
        ]),
      },
    ],
    charts: [
      {
        title: 'Deductions a second, all servers together',
        unit: 'a second',
        better: 'higher',
        bars: COUNTS.map((count, i) => ({ label: `${count} sweeping`, value: medians[i] ?? 0, who: 'ours' })),
      },
    ],
    targets: [
      { what: 'deductions a second, two sweeping over one', bound: 'at least', goal: 1, measured: ratios(2, 1) },
      {
        what: 'deductions a second, four sweeping over two',
        bound: 'at least',
        goal: 1,
        floor: `two sweeping and PostgreSQL keep ${cores(2)} of ${cpus().length} cores busy; two more share what is there`,
        measured: ratios(4, 2),
      },
    ],
  })
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function whole(number: number): string {
  return Math.round(number).toLocaleString('en')
}

function secondsSince(began: number): string {
  return ((performance.now() - began) / 1_000).toFixed(0)
}
