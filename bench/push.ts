import { parseArgs } from 'node:util'
import { hasRedis, NO_REDIS, startRedis } from '../test/support/redis.js'
import { type Push, type Pusher, startPusher } from './push-contest.js'
import { type Chart, median, saveResult, type Target } from './result.js'

// One event to each of many sockets in rooms of their own: ours beside bare Socket.IO, alone and joined to others by Redis.
// All are up, and push in turn.
//   npm run bench:push [-- --sockets 10000 --rounds 9]

const { values } = parseArgs({
  options: { sockets: { type: 'string', default: '10000' }, rounds: { type: 'string', default: '9' } },
})
const sellers = Number(values.sockets)
const rounds = Number(values.rounds)
const count = sellers.toLocaleString('en')
/** Rounds that are thrown away: code is compiled in them. */
const WARM_UP = 2

if (!hasRedis) throw new Error(NO_REDIS)
const redis = await startRedis()
const contestants = [
  { name: 'Tallylight', by: 'ours', redisUrl: null, who: 'ours' },
  { name: 'bare Socket.IO', by: 'bare', redisUrl: null, who: 'limit' },
  { name: 'Tallylight, joined by Redis', by: 'ours', redisUrl: redis.url, who: 'ours' },
  { name: 'Socket.IO, its Redis adapter', by: 'bare', redisUrl: redis.url, who: 'other' },
] as const
type Name = (typeof contestants)[number]['name']

const pushes = new Map<Name, Push[]>(contestants.map(({ name }) => [name, []]))
const pushers: [Name, Pusher][] = []
try {
  for (const { name, by, redisUrl } of contestants) {
    pushers.push([name, await startPusher({ by, redisUrl, sellers })])
    console.log(`${name}: ${count} sockets`)
  }
  for (let round = 1 - WARM_UP; round <= rounds; round += 1) {
    for (const [name, pusher] of pushers) {
      const push = await pusher.push()
      if (round < 1) continue
      pushes.get(name)?.push(push)
      console.log(`round ${round} of ${rounds}: ${rowOf(name, [push]).join('  ')}`)
    }
  }
} finally {
  await Promise.all(pushers.map(([, pusher]) => pusher.close()))
  await redis.kill()
}

function rowOf(name: Name, turns: readonly Push[]): string[] {
  const middle = (of: (push: Push) => number): number => median(turns.map(of))
  return [
    name,
    perSecond(turns).toLocaleString('en'),
    `${middle(({ ms }) => ms).toFixed(0)} ms`,
    `${((middle(({ cpuMs }) => cpuMs) * 1_000) / sellers).toFixed(1)} µs`,
    `${(middle(({ bytes }) => bytes) / sellers).toFixed(1)}`,
  ]
}

function perSecond(turns: readonly Push[]): number {
  return Math.round((sellers * 1_000) / median(turns.map(({ ms }) => ms)))
}

/** Events a second of one over the other, for each round. */
function ratios(one: Name, other: Name): number[] {
  const others = pushes.get(other) ?? []
  return (pushes.get(one) ?? []).map(({ ms }, i) => Number(((others[i]?.ms ?? Number.NaN) / ms).toFixed(3)))
}

const targets: Target[] = [
  {
    what: `push to ${count} sockets of this node, each in a room of its own, over bare io.to(room).emit: events a second`,
    bound: 'at least',
    goal: 0.95,
    measured: ratios('Tallylight', 'bare Socket.IO'),
  },
  {
    what: 'the same, with the Redis adapter joined, over bare io.to(room).emit without it',
    bound: 'at least',
    goal: 0.95,
    measured: ratios('Tallylight, joined by Redis', 'bare Socket.IO'),
  },
]
for (const { what, measured } of targets) console.log(`${what}: ${median(measured).toFixed(3)}`)
const chart: Chart = {
  title: `Events a second to ${count} sockets`,
  unit: 'a second',
  better: 'higher',
  bars: contestants.map(({ name, who }) => ({ label: name, value: perSecond(pushes.get(name) ?? []), who })),
}
saveResult('push', {
  title: 'Push',
  command: 'npm run bench:push',
  about:
    `A grant to each of ${count} sellers, who have one socket each: from the first push until the last socket has heard, which a second process ` +
    `tells that holds the sockets and reads raw bytes. ${rounds} rounds, all servers up and in turn. The events are committed to SQLite first, and are in ` +
    'memory as a commit leaves them: neither writing nor reading them is within. Ours looks at the cursors of each seller’s sockets and sends what they lack, and tells ' +
    'other servers where there may be some; bare Socket.IO emits the same payloads to a room for each seller.',
  tables: [
    {
      title: `One event to each of ${count} sockets`,
      columns: ['server', 'events a second', 'until all have heard', 'CPU of the server for one', 'bytes of a frame'],
      rows: [...pushes].map(([name, turns]) => rowOf(name, turns)),
    },
  ],
  charts: [chart],
  targets,
  notes: [
    'Kept: an event is written to the stream past the queues of Engine.IO and ws where nothing is in them, and encoded without Socket.IO’s search for ' +
      'binaries: 40 µs of the processor for a push before, as much as bare Socket.IO’s, and 14 to 16 after where that takes 25.',
  ],
})
