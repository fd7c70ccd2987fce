import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Measured } from './heartbeat-client.js'
import { load } from './load.js'
import { type Chart, median, saveResult, type Table, type Target } from './result.js'
import { answerOf, type BenchServer, startByHand, startEcho, startTallylight } from './servers.js'
import type { WireKind } from './wire.js'

// Heartbeats beside servers that answer the same and store nothing, or one page a batch: all are up, and are measured in turn, round by round,
// by the same client; only the ratios within a round are worth much.
//   npm run bench:heartbeat [-- SECONDS ROUNDS [few]]
// With `few`, only 500 clients at full speed, and who is in a target.

const MOST_CLIENTS = 2_000
const STEADY_RATE = 2_000
// Turns of more than a few seconds would come near the limit of what one seller may ask over REST in a minute.
const [seconds = 1.5, rounds = 5] = process.argv.slice(2, 4).map(Number)
const onlyFew = process.argv[4] === 'few'

interface Contestant {
  readonly name: string
  readonly kind: WireKind
  readonly server: BenchServer
  readonly who: 'ours' | 'limit' | 'other'
}

interface Setting {
  readonly clients: number
  readonly perSecond: number | null
  readonly contestants: readonly Contestant[]
  readonly rounds: number
}

/** What was measured, by contestant, one for each round. */
type Turns = ReadonlyMap<Contestant, readonly Measured[]>

let file = ''
const tallylight = await startTallylight(MOST_CLIENTS, async (made) => {
  file = made
})
const { sellers } = tallylight
const [first = { token: '', livestreamId: '' }] = sellers
const answer = await answerOf(tallylight.url, first)
const echo = await startEcho('socket.io', answer)
const synced = await startEcho('synced', answer)
const bareWs = await startEcho('ws', answer)
const bareHttp = await startEcho('http', answer)
const syncedHttp = await startEcho('synced http', answer)
const storedHttp = await startByHand('http', file, answer)
const bareExpress = await startEcho('express', answer)

const ourSocket: Contestant = { name: 'Tallylight, socket', kind: 'socket.io', server: tallylight, who: 'ours' }
const theEcho: Contestant = { name: 'Socket.IO echo', kind: 'socket.io', server: echo, who: 'limit' }
const theSynced: Contestant = { name: 'Socket.IO echo, synced', kind: 'socket.io', server: synced, who: 'limit' }
const wsEcho: Contestant = { name: 'ws echo', kind: 'ws', server: bareWs, who: 'limit' }
const ourRest: Contestant = { name: 'Tallylight, REST', kind: 'http', server: tallylight, who: 'ours' }
const http: Contestant = { name: 'node:http', kind: 'http', server: bareHttp, who: 'limit' }
const theSyncedHttp: Contestant = { name: 'node:http, synced', kind: 'http', server: syncedHttp, who: 'limit' }
const theStoredHttp: Contestant = { name: 'node:http, stored by hand', kind: 'http', server: storedHttp, who: 'limit' }
const express: Contestant = { name: 'Express, token check', kind: 'http', server: bareExpress, who: 'other' }
const everybody = [ourSocket, theEcho, theSynced, wsEcho, ourRest, http, theSyncedHttp, theStoredHttp, express]
const byLibrary = [ourSocket, theEcho].map((one): Contestant => ({ ...one, kind: 'socket.io-client' }))

/** In each round other sellers, as long as there are: none comes near what one may ask over REST in a minute. */
async function turn(
  { kind, server: { url, pid } }: Contestant,
  { clients, perSecond }: Setting,
  round: number,
): Promise<Measured> {
  const from = ((round - 1) * clients) % MOST_CLIENTS
  return load({ kind, url, pid, sellers: sellers.slice(from, from + clients), seconds, perSecond })
}

async function inTurn(setting: Setting): Promise<Turns> {
  const turns = new Map(setting.contestants.map((contestant) => [contestant, [] as Measured[]]))
  for (let round = 1; round <= setting.rounds; round += 1) {
    for (const [contestant, measured] of turns) {
      const one = await turn(contestant, setting, round)
      measured.push(one)
      console.log(`${titleOf(setting)}, round ${round}: ${rowOf(contestant, [one]).join('  ')}`)
    }
  }
  return turns
}

const titleOf = ({ clients, perSecond, contestants }: Setting): string =>
  `${clients.toLocaleString('en')} clients, ${perSecond === null ? 'full speed' : `${perSecond.toLocaleString('en')} a second`}` +
  (contestants === byLibrary ? ', by socket.io-client' : '')

function rowOf({ name }: Contestant, measured: readonly Measured[]): string[] {
  const middle = (of: (one: Measured) => number): number => median(measured.map(of))
  const cpu = measured.every(({ cpuMicros }) => cpuMicros !== null)
  return [
    name,
    Math.round(middle(({ perSecond }) => perSecond)).toLocaleString('en'),
    `${middle(({ medianMs }) => medianMs).toFixed(2)} ms`,
    `${middle(({ p99Ms }) => p99Ms).toFixed(2)} ms`,
    cpu ? `${middle(({ cpuMicros }) => cpuMicros ?? 0).toFixed(0)} µs` : 'not told',
  ]
}

function tableOf(setting: Setting, turns: Turns): Table {
  return {
    title: titleOf(setting),
    columns: ['server', 'heartbeats a second', 'median', '99 % within', 'CPU of the server for one'],
    rows: [...turns].map(([contestant, measured]) => rowOf(contestant, measured)),
  }
}

function chartOf(setting: Setting, turns: Turns): Chart {
  return {
    title: `Heartbeats a second, ${titleOf(setting)}`,
    unit: 'a second',
    better: 'higher',
    bars: [...turns].map(([{ name, who }, measured]) => ({
      label: name,
      value: Math.round(median(measured.map(({ perSecond }) => perSecond))),
      who,
    })),
  }
}

/** One number for each round, of two contestants who were measured one after the other. */
function paired(turns: Turns, a: Contestant, b: Contestant, of: (a: Measured, b: Measured) => number): number[] {
  const others = turns.get(b) ?? []
  return (turns.get(a) ?? []).flatMap((one, round) => {
    const other = others[round]
    return other ? [Number(of(one, other).toFixed(3))] : []
  })
}

/** What is reached by whoever does less: a floor, where that is less than the goal. */
function floorOf(goal: number, turns: Turns, doesLess: Contestant, other: Contestant): string {
  const reached = median(paired(turns, doesLess, other, speedRatio))
  const told = `${WHO_DOES_LESS.get(doesLess)} reaches ${reached.toFixed(2)}`
  return reached < goal ? told : `no floor is shown (${told}); the notes have a profile`
}

const WHO_DOES_LESS = new Map([
  [theSynced, 'what answers the same after one synced page a batch, and checks and stores nothing,'],
  [theStoredHttp, 'what stores by the same statement in batches by hand, and decides nothing,'],
])

const speedRatio = (a: Measured, b: Measured): number => a.perSecond / b.perSecond

/** The median time that four KiB take to the disk that the database is on. */
function measureSync(): number {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))
  const file = openSync(join(folder, 'sync'), 'w')
  const page = Buffer.alloc(4_096, 1)
  const waits = Array.from({ length: 300 }, () => {
    const began = performance.now()
    writeSync(file, page)
    fdatasyncSync(file)
    return performance.now() - began
  })
  closeSync(file)
  rmSync(folder, { recursive: true })
  return median(waits)
}

try {
  const inTargets = [ourSocket, theEcho, ourRest, http]
  const few: Setting = { clients: 500, perSecond: null, contestants: onlyFew ? inTargets : everybody, rounds }
  const many: Setting = { clients: MOST_CLIENTS, perSecond: null, contestants: everybody, rounds }
  const steady: Setting = {
    clients: MOST_CLIENTS,
    perSecond: STEADY_RATE,
    contestants: [...inTargets, theSynced, theStoredHttp],
    rounds,
  }
  const confirming: Setting = { clients: 500, perSecond: null, contestants: byLibrary, rounds: 1 }
  const withFew = await inTurn(few)
  const withMany: Turns = onlyFew ? new Map() : await inTurn(many)
  const syncBefore = measureSync()
  const atPace: Turns = onlyFew ? new Map() : await inTurn(steady)
  const syncMs = median([syncBefore, measureSync()])
  const confirmed: Turns = onlyFew ? new Map() : await inTurn(confirming)

  const aboveSync = (one: Contestant, other: Contestant): number[] =>
    paired(atPace, one, other, (a, b) => a.medianMs - b.medianMs - syncMs)

  const all: Target[] = [
    {
      what: 'socket heartbeat, stored with synchronous=FULL, over the bare Socket.IO echo, 2,000 clients',
      bound: 'at least',
      goal: 0.95,
      floor: floorOf(0.95, withMany, theSynced, theEcho),
      measured: paired(withMany, ourSocket, theEcho, speedRatio),
    },
    {
      what: 'socket heartbeat over the bare Socket.IO echo, 500 clients',
      bound: 'at least',
      goal: 0.85,
      floor: floorOf(0.85, withFew, theSynced, theEcho),
      measured: paired(withFew, ourSocket, theEcho, speedRatio),
    },
    {
      what: `median latency at ${STEADY_RATE.toLocaleString('en')} a second, above the echo's and one measured fsync`,
      bound: 'at most',
      goal: 0.3,
      unit: 'ms',
      floor: `the echo that waits for one synced page is ${median(aboveSync(theSynced, theEcho)).toFixed(2)} ms above, and the statement by hand behind node:http ${median(aboveSync(theStoredHttp, http)).toFixed(2)} ms above node:http and an fsync`,
      measured: aboveSync(ourSocket, theEcho),
    },
    {
      what: 'REST heartbeat, stored, over bare node:http answering the same bytes, 2,000 clients',
      bound: 'at least',
      goal: 0.75,
      floor: floorOf(0.75, withMany, theStoredHttp, http),
      measured: paired(withMany, ourRest, http, speedRatio),
    },
    {
      what: 'REST heartbeat over bare node:http, 500 clients',
      bound: 'at least',
      goal: 0.75,
      floor: floorOf(0.75, withFew, theStoredHttp, http),
      measured: paired(withFew, ourRest, http, speedRatio),
    },
  ]
  const targets = all.filter(({ measured }) => measured.length > 0)
  for (const { what, bound, goal, measured } of targets) {
    console.log(`${what}: ${median(measured).toFixed(2)} (${bound} ${goal}; ${measured.join(', ')})`)
  }
  console.log(`one fsync: ${syncMs.toFixed(2)} ms`)
  saveResult('heartbeat', {
    title: 'Heartbeats',
    command: 'npm run bench:heartbeat',
    about:
      `Heartbeats of ${seconds} s a turn, ${rounds} rounds, all servers up and measured in turn from a second process over ` +
      'loopback, by clients that write raw bytes. Ours has each heartbeat on disk before it answers: SQLite with a ' +
      'write-ahead log, synced for each batch as synchronous=FULL does; by a thread of the server where the disk is slow, while the event loop ' +
      'goes on (DECISIONS.md). Those called synced write and sync one page for all that came meanwhile, and answer then; stored by hand is the same statement on the same ' +
      'database, in batches that are on disk before they are answered; the others store nothing. At full speed each client has one heartbeat under way; at a fixed ' +
      'rate they are spread over the clients.',
    tables: [
      tableOf(few, withFew),
      ...(onlyFew ? [] : [tableOf(many, withMany), tableOf(steady, atPace), tableOf(confirming, confirmed)]),
      {
        title: 'The disk',
        columns: ['what', 'median'],
        rows: [['4 KiB written and synced (fdatasync)', `${syncMs.toFixed(2)} ms`]],
      },
    ],
    charts: [chartOf(few, withFew), ...(onlyFew ? [] : [chartOf(many, withMany)])],
    targets,
    notes: [
      'The clients and the other servers are on the same cores as the server. Express checks the signature of the token at ' +
        'every request; ours remembers the tokens that it has checked.',
      'Before the sync had a thread of its own where the disk is slow, a profile of the server under 500 sockets showed 30 % of its busy time in ' +
        'the commit, which held the event loop while it waited for the disk.',
      'REST, kept: one list of headers for each origin, where helmet, cors and express-rate-limit went one by one (58 to 37 µs of the processor where bare node:http took 12.6); then the list is copied once and not five times, ' +
        'the answer is written out without JSON.stringify, and a remembered token stays where it is (0.47 to 0.57 of bare node:http); then the answer is written as one string, where end writes a second, empty one, ' +
        'a connection remembers its last token, and one batch is on its way at a time (0.60 to 0.72 at 500 clients, 0.55 to 0.67 at 2,000). Of the 37, 13 were garbage collection, since whatever belongs to a request lives until its batch is ' +
        'on disk: with a young generation of 32 MB (--max-semi-space-size) a heartbeat took 24; since a quick disk is waited for by the event loop it saves 8 %, and a server that it does not pay for has 50 MB more. A profile at 500 clients, of 43 µs beside 35 by hand, shows 15 in ' +
        'writing to the socket (18 by hand), 4.9 in the statement (3.6), 3.1 in garbage collection (1.4), 0.8 in beginning and committing, and the rest in many small parts: tokens, limits, batches, promises; reading from sockets is beside it.',
      'Then, kept of REST: what waits for its batch is made by constructors, since V8 takes what literals make for long-lived where much of it is, and makes all of it in the old generation (32 to 24, 35 to 27 and 31 to 24 µs of the processor with 500 clients, old build and new in turn); ' +
        'a known token is admitted and counted at once, without a function that waits; and the head of an answer is put together from ready text, where writeHead was a fifth of a heartbeat and of its garbage. ' +
        'All of it together, in turn, with nothing else running: 28 to 19 and 28 to 18 µs, 52,700 and 56,300 a second where node:http made 64,200 and 71,100, 0.82 and 0.79 of it. The same build made 0.66 to 0.76 at hours when the machine was slower, whichever other servers were up. What by hand also has to look at and count what ours does (expiry, limit, path, origin, length) made 0.76 to 0.82 at its best hour.',
      'Then a body that nobody reads is no stream, which Node ends, reads to its end and closes once a request is answered, also where there is no body (28.8 to 26.5, 23.8 to 23.0, 27.0 to 23.3 and 29.1 to 25.6 µs of the processor with 500 clients, old build and new in turn), ' +
        'and Node forgets such a request when it is answered instead of with the next one on its connection, before which it came into the old generation (31 to 28 µs with 2,000, nothing with 500). Tried without a gain: no timer for an idle connection (1 to 2 %), no object of a request’s headers (1 %), ' +
        'a thread that waits for a quick disk (the same with 500, 9 % slower with 2,000), batches of 500 and 250 with 2,000 clients (2 to 6 % slower over REST, as quick over sockets).',
      'All of this depends on the machine. Before the event loop waited for a quick disk, the same code made, on an Intel Xeon where system calls cost less, 1.34 of the echo over 2,000 sockets and 1.04 over 500, a latency ' +
        '0.15 ms above echo and fsync, and over REST 0.52 and 0.60 of bare node:http; on that one at an hour when it was half as fast, 0.70 and 0.68; and on a noisy AMD where they cost more, 0.96 and 0.98, 0.40 ms, 0.47 and 0.63.',
      'Kept, of both: where the disk is quick, the event loop waits for it, and a batch that is full is written at once. For a few, two wake-ups of threads cost more than a sync (0.64 to 0.54 ms at 2,000 a second); ' +
        'of a crowd less is read ahead and kept: 2,000 clients at full speed, in turn on one machine, cost 66 to 46 and 52 to 44 µs of the processor each over REST (seven and nine rounds), and 34 to 29 over sockets. With 500 there is no difference. Without writing at ' +
        'once it is no better (48, 62 and 64 beside 54, 55 and 52). Not kept: two small batches on their way (the median 0.04 ms later, the 99th percentile 1 ms sooner).',
      'Sockets, kept: a ping is told from its text, ahead of the five events and two turns of the queue by which Engine.IO and Socket.IO tell of ' +
        'it (0.72 to 0.8 of the echo at 500 clients), and its answer goes to the stream past their empty queues (to 0.88); ids are written into the ' +
        'batch as they are. That is less than the echo does, which goes through all of it, and makes up for most of the storing. A profile at 2,000 clients then shows ' +
        'two thirds of a heartbeat in the kernel, reading and writing, 10 % in SQLite, 3 % in garbage collection, 2 % in telling the ping, and nothing else above 1 %.',
      'SQLite alone, with 2,000 live runs: 2.1 µs for a heartbeat in the statement (2.5 where ids are made JSON one by one, 2.8 to 3.1 by a statement for each heartbeat) and 0.6 to 3.1 in the commit, in batches of 1,000 to 100, which ' +
        'write some 80 pages each. Without RETURNING and the balance the statement would take 1.4; a table that holds nothing but the ' +
        'activity would save 0.4 µs of the statement and two thirds of the commit, which is 3 to 8 % of a heartbeat, for a second table to keep in step.',
      'Over REST the hour decides on which side of the goal it is: five rounds half an hour before these nine made 0.739 with 2,000 clients and 0.743 with 500, where by hand made 0.76. ' +
        'Tried without a gain: who asks and how often, kept with the connection (nothing with 500, 1 to 2 % with 2,000), and two or four more turns of the event loop before a batch closes.',
      'Tried without a gain over sockets: larger young generations, one batch on its way instead of two, smaller batches (250 are 5 % slower, 120 are ' +
        '15 %), checkpoints of 1,000 and 4,000 pages, no trigger on runs.',
    ],
  })
} finally {
  await Promise.all(
    [tallylight, echo, synced, bareWs, bareHttp, syncedHttp, storedHttp, bareExpress].map((server) => server.stop()),
  )
}
