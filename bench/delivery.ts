import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { serverProcess } from '../chaos/server-process.js'
import { openDatabase } from '../server/store/database.js'
import { startPostgres } from '../test/support/postgres.js'
import { hasRedis, NO_REDIS, startRedis } from '../test/support/redis.js'
import { connect, disconnectAll, until } from '../test/support/sockets.js'
import { median, percentile, saveResult } from './result.js'
import { SECRET, send, sign } from './servers.js'

// How long after a commit a seller's sockets hear of it: one on the server that wrote, one on another server, joined by Redis
// and by PostgreSQL, in turn.
//   npm run bench:delivery [-- --samples 400]

const { values } = parseArgs({ options: { samples: { type: 'string', default: '400' } } })
const samples = Number(values.samples)
const WARM_UP = 30
const SELLER = 'seller'

/** Two servers on a database of their own, and a socket of the seller on each. */
interface Pair {
  readonly joinedBy: string
  /** Grants a credit by the first server; resolves when both sockets have heard. */
  grant(): Promise<void>
  /** How long after its commit each grant was heard, in milliseconds. */
  lateness(): Promise<{ here: number[]; there: number[] }>
  close(): Promise<void>
}

if (!hasRedis) throw new Error(NO_REDIS)
const postgres = await startPostgres({ fsync: 'on', track_commit_timestamp: 'on' })
const redis = await startRedis()
const pairs: Pair[] = []
try {
  pairs.push(await startPair('Redis', 'joined_by_redis', { REDIS_URL: redis.url }))
  pairs.push(await startPair('PostgreSQL', 'joined_by_postgres', {}))
  for (let sample = 0; sample < WARM_UP + samples; sample += 1) {
    for (const pair of pairs) {
      await pair.grant()
      await sleep(5 + Math.random() * 10)
    }
    if ((sample + 1) % 100 === 0) console.log(`${sample + 1} grants heard on both servers of both pairs`)
  }
  await tell()
} finally {
  disconnectAll()
  for (const pair of pairs) await pair.close()
  await redis.kill()
  await postgres.stop()
}

async function startPair(joinedBy: string, name: string, env: NodeJS.ProcessEnv): Promise<Pair> {
  const url = Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href
  const options = { kind: 'postgres', poolSize: 1, statementTimeoutMs: 10_000, retryForMs: 0 } as const
  const system = openDatabase({ ...options, url: postgres.url })
  await sql`create database ${sql.ref(name)}`.execute(system.db)
  await system.close()
  const database = openDatabase({ ...options, url })
  const servers = [0, 1].map(() => serverProcess({ DATABASE_URL: url, JWT_SECRET: SECRET, ...env }, () => undefined))
  for (const server of servers) await server.start()
  const [here = '', there = ''] = servers.map((server) => `http://127.0.0.1:${server.port()}`)
  const service = sign('bench', 'service')
  await send(here, 'POST', '/api/livestreams/', service, { title: 'bench', id: name, seller_id: SELLER })
  const heard = { here: new Map<number, number>(), there: new Map<number, number>() }
  for (const [where, address] of Object.entries({ here, there }) as ['here' | 'there', string][]) {
    const socket = await connect(address, sign(SELLER, 'seller'))
    socket.socket.on('credit_update', ({ seq }: { seq: number }) => heard[where].set(seq, wallMs()))
    const answer = await socket.ask('subscribe', { livestream_id: name, after: 0 })
    if (!answer.ok) throw new Error(JSON.stringify(answer))
  }
  let granted = 0
  let aheadMs = 0
  const wallMs = () => performance.now() + aheadMs
  return {
    joinedBy,
    async grant() {
      granted += 1
      aheadMs = aheadOfUptime()
      await send(here, 'POST', `/api/sellers/${SELLER}/credits/`, service, { amount: 1 }, `bench-${granted}`)
      await until(() => heard.here.size >= granted && heard.there.size >= granted, 'a grant on both servers')
    },
    async lateness() {
      const { rows } = await sql<{ seq: number; committed_us: number }>`
        select seq, cast(extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000 as bigint) as committed_us
        from events where kind = 'credit_update' order by seq offset ${WARM_UP}`.execute(database.db)
      const of = (times: Map<number, number>) =>
        rows.map(({ seq, committed_us }) => (times.get(seq) ?? Number.NaN) - committed_us / 1_000)
      return { here: of(heard.here), there: of(heard.there) }
    },
    async close() {
      for (const server of servers) await server.kill()
      await database.close()
    },
  }
}

/** What the wall clock is ahead of `performance.now()`, seen where it ticks: finer than its milliseconds, and never adrift. */
function aheadOfUptime(): number {
  const since = Date.now()
  let at = since
  while (at === since) at = Date.now()
  return at - performance.now()
}

async function tell(): Promise<void> {
  const found = await Promise.all(pairs.map(async ({ joinedBy, lateness }) => ({ joinedBy, ...(await lateness()) })))
  const lines = found.flatMap(({ joinedBy, here, there }) => [
    { joinedBy, where: 'on the server that wrote', ms: here },
    { joinedBy, where: 'on the other server', ms: there },
  ])
  for (const { joinedBy, where, ms } of lines)
    console.log(
      `joined by ${joinedBy}, ${where}: median ${shown(median(ms))}, 99 % within ${shown(percentile(ms, 0.99))}`,
    )
  saveResult('delivery', {
    title: 'Events across servers',
    command: `npm run bench:delivery -- --samples ${samples}`,
    about:
      'From the commit of a grant (its timestamp in PostgreSQL, which is before the log is flushed) until a socket of the seller ' +
      'hears it: on the server that wrote, and on another one. Two pairs of servers, one joined by Redis and one by PostgreSQL, ' +
      `in turn, ${samples} grants each; commits are on disk (fsync).`,
    tables: [
      {
        title: 'From the commit until it is heard',
        columns: ['joined by', 'socket', 'median', '99th percentile'],
        rows: lines.map(({ joinedBy, where, ms }) => [joinedBy, where, shown(median(ms)), shown(percentile(ms, 0.99))]),
      },
    ],
    charts: [
      {
        title: 'From the commit until it is heard, median',
        unit: 'ms',
        better: 'lower',
        bars: lines.map(({ joinedBy, where, ms }) => ({
          label: `${where}, joined by ${joinedBy}`,
          value: median(ms),
          who: 'ours' as const,
        })),
      },
    ],
    targets: [],
  })
}

function shown(ms: number): string {
  return `${ms.toFixed(1)} ms`
}
