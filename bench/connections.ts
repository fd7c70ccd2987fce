import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ConnectOrder } from './connect-client.js'
import { startLive } from './live-server.js'
import { median, saveResult } from './result.js'
import { type BenchSeller, type BenchServer, send, sign, startByHand, startEcho } from './servers.js'
import type { WireKind } from './wire.js'
import { AS_BUILT } from './worker.js'

// What many idle connections cost: memory of the server for each, and how fast they are accepted; with a browser's headers,
// ours beside stock Socket.IO and bare ws. A new server process for each turn.
//   npm run bench:connections [-- --connections 10000 --rounds 3]

const { values } = parseArgs({
  options: { connections: { type: 'string', default: '10000' }, rounds: { type: 'string', default: '3' } },
})
const options = process.argv.slice(2)
const connections = Number(values.connections)
const rounds = Number(values.rounds)
/** How long a server is left alone before its memory is read. */
const SETTLE_MS = 3_000
const snapshot = await aSnapshot()

interface Turn {
  readonly seconds: number
  readonly kibEach: number
}

interface Contestant {
  readonly name: string
  readonly kind: WireKind
  readonly subscribe: boolean
  readonly who: 'ours' | 'limit'
  start(): Promise<{ server: BenchServer; sellers: readonly BenchSeller[] }>
}

/** What a subscription is answered with, so that others can answer the same. */
async function aSnapshot(): Promise<string> {
  const { server, sellers } = await startLive(1)
  const { token, livestreamId } = sellers[0] ?? { token: '', livestreamId: '' }
  const answer = await send(server.url, 'GET', `/api/livestreams/${livestreamId}/snapshot`, token)
  const text = await answer.text()
  await server.stop()
  return text
}

async function startBare(kind: 'socket.io' | 'subscribing' | 'ws') {
  const sellers = Array.from({ length: connections }, (_, i) => ({
    token: sign(`live-${i}`, 'seller'),
    livestreamId: `live-stream-${i}`,
  }))
  return { server: await startEcho(kind, { headers: {}, body: snapshot }), sellers }
}

const subscribed: Contestant = {
  name: 'Tallylight, subscribed',
  kind: 'socket.io',
  subscribe: true,
  who: 'ours',
  start: () => startLive(connections),
}
const connected: Contestant = { ...subscribed, name: 'Tallylight, connected', subscribe: false }
const stock: Contestant = {
  name: 'stock Socket.IO, no check',
  kind: 'socket.io',
  subscribe: false,
  who: 'limit',
  start: () => startBare('socket.io'),
}
const asking: Contestant = {
  ...stock,
  name: 'stock, a fixed answer',
  subscribe: true,
  start: () => startBare('subscribing'),
}
const readingByHand: Contestant = {
  ...stock,
  name: 'stock, read by hand',
  subscribe: true,
  async start() {
    const { server: ours, sellers, file } = await startLive(connections)
    const server = await startByHand('socket.io', file, { headers: {}, body: snapshot })
    async function stop(): Promise<void> {
      await server.stop()
      await ours.stop()
    }
    return { server: { ...server, stop }, sellers }
  },
}
const bare: Contestant = { name: 'bare ws', kind: 'ws', subscribe: false, who: 'limit', start: () => startBare('ws') }

/** The resident memory of a process, in KiB (Linux). */
function residentKib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

async function turn({ name, kind, subscribe, start }: Contestant): Promise<Turn> {
  const { server, sellers } = await start()
  const client = fork(fileURLToPath(new URL('./connect-client.ts', import.meta.url)), {
    execArgv: AS_BUILT,
  })
  const failed = once(client, 'exit').then(([code]) => {
    throw new Error(`the client of ${name} ended with exit code ${code}`)
  })
  failed.catch(() => undefined)
  try {
    await sleep(SETTLE_MS)
    const before = residentKib(server.pid)
    const order: ConnectOrder = { kind, url: server.url, sellers, subscribe }
    client.send(order)
    const [{ seconds }] = (await Promise.race([once(client, 'message'), failed])) as [{ seconds: number }]
    await sleep(SETTLE_MS)
    const kibEach = (residentKib(server.pid) - before) / sellers.length
    console.log(`  ${rowOf(name, [{ seconds, kibEach }]).join('  ')}`)
    return { seconds, kibEach }
  } finally {
    if (client.connected) client.send('end')
    await failed.catch(() => undefined)
    await server.stop()
  }
}

function rowOf(name: string, turns: readonly Turn[]): string[] {
  const seconds = median(turns.map((one) => one.seconds))
  const kib = median(turns.map(({ kibEach }) => kibEach))
  return [
    name,
    `${kib.toFixed(1)} KiB`,
    `${seconds.toFixed(2)} s`,
    Math.round(connections / seconds).toLocaleString('en'),
  ]
}

const contestants = [subscribed, readingByHand, asking, stock, connected, bare]
const turns = new Map(contestants.map((contestant) => [contestant, [] as Turn[]]))
for (let round = 1; round <= rounds; round += 1) {
  console.log(`round ${round} of ${rounds}: ${connections} connections`)
  for (const [contestant, own] of turns) own.push(await turn(contestant))
}

/** One number for each round. */
function ratios(one: Contestant, other: Contestant, of: (turn: Turn) => number): number[] {
  const others = turns.get(other) ?? []
  return (turns.get(one) ?? []).map((own, i) => of(own) / of(others[i] ?? { seconds: Number.NaN, kibEach: Number.NaN }))
}

const count = connections.toLocaleString('en')
saveResult('connections', {
  title: 'Connections',
  command: ['npm run bench:connections', ...(options.length > 0 ? ['--', ...options] : [])].join(' '),
  about:
    `${count} connections with the headers that a browser sends, opened 200 at a time and then left alone. Memory is the ` +
    'growth of the resident memory of the server process, for each connection. Ours checks a token, and where it says so subscribes and ' +
    'sends the snapshot of a live run; stock Socket.IO and bare ws check nothing. Between them stands stock Socket.IO that checks the token and ' +
    'answers a subscription, the three round trips: with the same text each time, and, by hand, with what one statement reads of the same database; it limits, ' +
    'renews, settles and tells of nothing.',
  tables: [
    {
      title: `${count} connections`,
      columns: ['server', 'memory for each', 'all accepted in', 'accepted a second'],
      rows: [...turns].map(([{ name }, own]) => rowOf(name, own)),
    },
  ],
  charts: [
    {
      title: 'Memory of an idle connection',
      unit: 'KiB',
      better: 'lower',
      bars: [...turns].map(([{ name, who }, own]) => ({
        label: name,
        value: Number(median(own.map(({ kibEach }) => kibEach)).toFixed(1)),
        who,
      })),
    },
  ],
  targets: [
    {
      what: "memory per idle connection with a browser's headers, over stock Socket.IO",
      bound: 'at most',
      goal: 0.85,
      measured: ratios(connected, stock, ({ kibEach }) => kibEach),
    },
    {
      what: `accepting ${count} connections with a token check, a subscription and its snapshot, over stock Socket.IO with no check: time`,
      bound: 'at most',
      goal: 1.6,
      floor:
        `stock Socket.IO that checks the token takes ${median(ratios(readingByHand, stock, ({ seconds }) => seconds)).toFixed(2)} ` +
        `where it reads what it answers by one statement, and ${median(ratios(asking, stock, ({ seconds }) => seconds)).toFixed(2)} with a fixed text`,
      measured: ratios(subscribed, stock, ({ seconds }) => seconds),
    },
  ],
  notes: [
    'Kept, of memory: the requests of handshakes are let go of, and the listeners, rooms and waiting acknowledgements that nobody asks for; a token that a socket ' +
      'says once is not remembered, and its last answer, two kilobytes of snapshot, is not kept by the promise that the next request waits for. A heap snapshot has 12.3 KB of a connection of stock Socket.IO, and 10.2 of ours, which were 12.8 when only the requests were let go of; the rest of the resident ' +
      'memory is libuv’s and the allocator’s. Not kept: smaller tables of listeners, whose sizes are powers of two.',
    'Kept, of time: a socket joins before its snapshot is read, so that nothing is read after; the snapshot of a live run is one statement; the head of a token is read once for all ' +
      'that share it; nothing of ours is a middleware of Engine.IO; acknowledgements go past Socket.IO’s encoder and the queues; a livestream is read with its seller’s state; timestamps are put together. ' +
      'A profile of the 600 µs that one takes on a slow day, beside 450 by hand and 260 of stock Socket.IO, has 67 in SQLite and its driver (20 by hand), 35 in checking the signature, as by hand, 14 in promises (2), 10 in checking forms, ' +
      '5 in slimming the socket, 12 more in writing; and what both do takes a third longer in ours, since more code and more memory is touched in between.',
    'Then the answer to a WebSocket’s handshake goes out in one piece with Engine.IO’s first packet (6 to 8 % of accepting: 5.36 to 4.91 s for 10,000, in turn, six rounds), where Engine.IO has nothing left to refuse; ' +
      'and who comes back and missed nothing is answered by one statement too (6.8 to 5.9 s for 10,000 who say the last sequence that they saw, four rounds). Profiles with native code, taken before that, of 628 µs beside 517 by hand and 339 of stock Socket.IO have 61 in the read (35 by hand), of which ' +
      'Kysely’s way to the statement is some 20, and the rest in some twenty files with 2 to 9 each.',
    'Then a seller’s state is read past Kysely where nobody has the connection (12.6 to 8.6 µs by itself, 4 to 6 % of accepting: cold, among other code and on two busy cores, a microsecond counts ' +
      'threefold); arrays of rows are filled, where V8 compiled five functions twice since map and filter make arrays of another kind in optimized code (3 %); and tokens that end much later share their timers (4 %). ' +
      'Together 3.53 to 3.21 s where stock Socket.IO took 1.99, five rounds in turn. Left out for measurement, one after the other: the check of the signature is some 33 of 330 µs, whoever does it, the snapshot was 58, what a connection is given beyond Socket.IO 18, and the forms of requests nothing that could be told. Code is compiled meanwhile: 57 µs in threads for each connection, and 31 by hand.',
    'Then a token is checked at once where its key is at hand, instead of by five functions that wait for one another (3.36 to 3.24 s, in turn, eight rounds; a first form of it 3.15 to 3.09 in six and 3.30 to 3.27 in ten). The snapshot without any that wait would save another 1 %, at the price of a second way to it. ' +
      'What is left is cold code: a second batch of 8,000 on a warm server takes 1.28 of stock Socket.IO’s second batch; and with the engine’s own switches, all of one program or not documented, a cold server saves 3 % (--always-sparkplug) to 5 % (--maglev).',
    'Then what all plain handshakes say is not read: Engine.IO made a URL of each (3.31 to 3.07 s, in turn, sixteen rounds) and asked the system for the address of the other side (3.20 to 3.11 s, eighteen rounds); ' +
      'and an origin, which browsers send and these did not yet, is compared as text (3.19 to 3.07 s, ten rounds). A server by itself writes no presence: 25 to 45 ms of the three seconds by its clock, which could not be told from the whole. ' +
      'Sessions’ ids by crypto.randomUUID gained nothing (sixteen rounds).',
    'Not kept: snapshots of all who ask in one turn of the event loop by one statement, which is 1.7 of them on average here, and gained nothing; a young generation of 32 or 64 MB, which accepts no faster and has 4 to 11 KiB more for each connection, also after a minute.',
  ],
})
