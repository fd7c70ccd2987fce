import { setTimeout as sleep } from 'node:timers/promises'
import { openDatabase } from '../server/store/database.js'
import { migrate } from '../server/store/migrate.js'
import type { Measured } from './heartbeat-client.js'
import { fillWithLiveRuns } from './live-runs.js'
import { load } from './load.js'
import { median, saveResult } from './result.js'
import { type BenchServer, startTallylight } from './servers.js'

// How long heartbeats take over sockets while a sweep charges hundreds of thousands of runs, beside how long they take before, on one server and
// its SQLite file; a server and a file of its own for each round.
//   npm run bench:interference [-- ROUNDS]

/** More than a sweep charges while it is measured. */
const RUNS = 300_000
const PER_SECOND = 1_000
const CLIENTS = 500
const SECONDS = 10
/** From the filling on until all runs fall due, at one instant: long enough to start, and to measure without. */
const LEAD_MS = 45_000
/** What Node measures a block of the event loop with: a timer of so long, whose length it counts in. */
const TIMER_MS = 10
const rounds = Number(process.argv[2] ?? 3)

interface Phase {
  readonly heartbeats: Measured
  readonly longestBlockMs: number
}

interface Round {
  readonly without: Phase
  readonly during: Phase
  readonly deductionsPerSecond: number
}

/** A number of the server's metrics; reading them begins its longest block anew. */
async function metric(server: BenchServer, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.slice(name.length + 1))
}

const deductions = (server: BenchServer) => metric(server, 'tallylight_credits_total{kind="deduction"}')

async function phase(server: Awaited<ReturnType<typeof startTallylight>>): Promise<Phase> {
  const { url, pid, sellers } = server
  await metric(server, 'any')
  const heartbeats = await load({ kind: 'socket.io', url, pid, sellers, seconds: SECONDS, perSecond: PER_SECOND })
  const longest = await metric(server, 'nodejs_eventloop_lag_max_seconds')
  return { heartbeats, longestBlockMs: Math.max(0, longest * 1_000 - TIMER_MS) }
}

async function measureRound(): Promise<Round> {
  let dueAt = 0
  const server = await startTallylight(CLIENTS, async (file) => {
    const database = openDatabase({ kind: 'sqlite', file })
    await migrate(database.db)
    dueAt = Date.now() + LEAD_MS
    await fillWithLiveRuns(database.db, { count: RUNS, dueAt, spreadMs: 0 })
    await database.close()
  })
  try {
    const without = await phase(server)
    if (Date.now() > dueAt) throw new Error('the runs fell due too early: this machine needs a longer lead')
    await sleep(dueAt - Date.now())
    const [before, began] = [await deductions(server), performance.now()]
    const during = await phase(server)
    const [after, took] = [await deductions(server), performance.now() - began]
    if (after >= RUNS) throw new Error('the sweep was over before the measurement was')
    return { without, during, deductionsPerSecond: ((after - before) * 1_000) / took }
  } finally {
    // Not gracefully: a server that is asked to stop first finishes its pass, a minute or so.
    const gone = server.stop()
    process.kill(server.pid, 'SIGKILL')
    await gone
  }
}

const ms = (value: number): string => `${value.toFixed(1)} ms`
const row = (title: string, phases: readonly Phase[]): string[] => [
  title,
  Math.round(median(phases.map(({ heartbeats }) => heartbeats.perSecond))).toLocaleString('en'),
  ms(median(phases.map(({ heartbeats }) => heartbeats.medianMs))),
  ms(median(phases.map(({ heartbeats }) => heartbeats.p99Ms))),
  ms(median(phases.map(({ longestBlockMs }) => longestBlockMs))),
  ms(Math.max(...phases.map(({ longestBlockMs }) => longestBlockMs))),
]

const measured: Round[] = []
for (let round = 1; round <= rounds; round += 1) {
  const one = await measureRound()
  measured.push(one)
  const rows = [row('without', [one.without]), row('during', [one.during])]
  console.log(`round ${round}: ${Math.round(one.deductionsPerSecond)} deductions a second`)
  for (const cells of rows) console.log(`  ${cells.join('  ')}`)
}
const rates = measured.map(({ deductionsPerSecond }) => Math.round(deductionsPerSecond).toLocaleString('en'))
saveResult('interference', {
  title: 'Heartbeats while a sweep charges',
  command: 'npm run bench:interference',
  about:
    `${PER_SECOND.toLocaleString('en')} heartbeats a second from ${CLIENTS} sockets, for ${SECONDS} s before ${RUNS.toLocaleString('en')} ` +
    'other runs fall due at one instant, and for as long while they are charged; on the built server with SQLite, which logs ' +
    `each deduction, ${rounds} rounds with a database of their own. The longest block of the event loop is what Node measures ` +
    'in the server, checkpoints of the write-ahead log included.',
  tables: [
    {
      title: `Heartbeats, ${PER_SECOND.toLocaleString('en')} a second`,
      columns: ['', 'answered a second', 'median', '99 % within', 'longest block, median', 'longest of all'],
      rows: [
        row(
          'nothing due',
          measured.map(({ without }) => without),
        ),
        row(
          'while runs are charged',
          measured.map(({ during }) => during),
        ),
      ],
    },
  ],
  charts: [],
  targets: [
    {
      what: `99th percentile heartbeat latency while ${RUNS.toLocaleString('en')} runs are charged, above that without`,
      bound: 'at most',
      goal: 10,
      unit: 'ms',
      measured: measured.map(({ without, during }) => during.heartbeats.p99Ms - without.heartbeats.p99Ms),
    },
  ],
  notes: [
    `Meanwhile ${rates.join(', ')} deductions a second were committed.`,
    'Of a batch of 16 runs that takes 4.7 ms, 3 ms are its commit, the checkpoints included: with random ids a ' +
      'deduction changes four or five pages, and each is written to the log, synced, and copied into the file.',
    'Kept: batches of 3 ms while heartbeats come, as long a pause after each, and checkpoints of 200 pages instead of 4,000, which ' +
      'took 40 ms. Not kept: a thread for the checkpoints, whose syncs held up the commits; a larger cache; a mapped file.',
  ],
})
