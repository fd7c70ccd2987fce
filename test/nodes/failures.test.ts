import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { App } from '../../server/app.js'
import { type Database, openDatabase } from '../../server/store/database.js'
import { faultsOfBooks } from '../support/books.js'
import { commandFolder, serve } from '../support/command.js'
import { type FaultyWire, faultyWire } from '../support/faulty-wire.js'
import { type DatabasePlace, databasePlace } from '../support/fresh-database.js'
import { connect, disconnectAll, until } from '../support/sockets.js'
import { ask, grantOn, sellerOn, startNode } from './node.js'

// What dies, stands still or cannot be reached, and what must be right all the same.

interface Scene {
  readonly place: DatabasePlace
  readonly database: Database
  readonly started: App[]
  /** A server, stopped at the end. */
  node(env?: NodeJS.ProcessEnv, url?: string): Promise<App>
}

function testScene(title: string, run: (scene: Scene) => Promise<void>): void {
  test(title, async () => {
    const place = await databasePlace()
    const database = openDatabase(place.config)
    const started: App[] = []
    try {
      await run({
        place,
        database,
        started,
        async node(env, url = place.url) {
          const node = await startNode({ url }, env)
          started.push(node)
          return node
        },
      })
      assert.equal(await faultsOfBooks(database), [])
    } finally {
      disconnectAll()
      await Promise.all(started.map((node) => node.stop()))
      await database.close()
      await place.remove()
    }
  })
}

const outages = ({ db }: Database) => db.selectFrom('outages').selectAll().execute()
const stampsOf = async ({ db }: Database, at: number) =>
  db.selectFrom('stamps').select('server_id').where('at', '>', at).execute()

testScene('V3: what a server committed and did not push before it died is heard from another within 2 s', async (s) => {
  const node = await s.node()
  const seller = await sellerOn(node, 1)
  const socket = await connect(node.url, seller.token)
  await socket.ask('subscribe', { livestream_id: seller.livestreamId })
  const script = fileURLToPath(new URL('./dies-before-push.ts', import.meta.url))
  const tookMs: number[] = []
  for (let round = 0; round < 3; round += 1) {
    const child = spawn(process.execPath, ['--import', 'tsx', script, s.place.url, seller.id, `key-${round}`])
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
    assert.is(signal, 'SIGKILL')
    const diedAt = performance.now()
    await until(() => socket.events.length === round + 1, 'the grant of the dead')
    tookMs.push(performance.now() - diedAt)
  }
  // A machine that has much else to do may be late once.
  tookMs.sort((a, b) => a - b)
  assert.ok((tookMs[1] ?? 0) < 2_000, `${tookMs} ms`)
  assert.equal(
    socket.events.map(({ seq }) => seq),
    [2, 3, 4],
  )
})

testScene('A5: one server of three dies: no outage, and the others go on with its sellers', async (s) => {
  const folders = [1, 2, 3].map(() => commandFolder({ DATABASE_URL: s.place.url, CREDIT_DEDUCTION_INTERVAL: '2s' }))
  const [one, two, three] = await Promise.all(folders.map((folder) => serve(folder)))
  assert.ok(one && two && three)
  try {
    const near = await s.node({ CREDIT_DEDUCTION_INTERVAL: '2s' })
    const seller = await sellerOn(near, 10)
    const socket = await connect(one.url, seller.token)
    await socket.ask('subscribe', { livestream_id: seller.livestreamId })
    await socket.ask('start', { livestream_id: seller.livestreamId })
    one.process.kill('SIGKILL')
    const elsewhere = await connect(two.url, seller.token)
    await elsewhere.ask('subscribe', { livestream_id: seller.livestreamId, after: socket.events.at(-1)?.seq })
    await until(
      () => elsewhere.events.filter(({ event }) => event === 'credit_update').length >= 2,
      'deductions',
      8_000,
    )
    assert.equal(await outages(s.database), [])
  } finally {
    for (const { process } of [one, two, three]) process.kill('SIGKILL')
    await Promise.all([one, two, three].map(({ finished }) => finished))
    for (const folder of folders) folder.remove()
  }
})

testScene('A5: a server that is stopped, and wakes, charges nothing twice and finds no outage', async (s) => {
  const env = { CREDIT_DEDUCTION_INTERVAL: '1s' }
  const folder = commandFolder({ DATABASE_URL: s.place.url, ...env })
  const stopped = await serve(folder)
  try {
    const near = await s.node(env)
    const seller = await sellerOn(near, 30)
    const { token, livestreamId } = seller
    await ask(near, 'PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
    for (let round = 0; round < 3; round += 1) {
      // At any moment, in the middle of a transaction too: its locks are let go after five seconds.
      stopped.process.kill('SIGSTOP')
      await sleep(2_500 + round * 300)
      stopped.process.kill('SIGCONT')
      await sleep(700)
    }
    const { body } = await ask(near, 'PATCH', `/api/livestreams/end/${livestreamId}/`, { token })
    const { rows } = { rows: await s.database.db.selectFrom('ledger_entries').selectAll().execute() }
    const deductions = rows.filter(({ kind }) => kind === 'deduction').map(({ interval_index }) => interval_index)
    assert.equal(
      deductions,
      deductions.map((_, i) => i),
      'each interval once, in order',
    )
    assert.is(body['credits_consumed'], deductions.length)
    assert.ok(deductions.length >= 9, `${deductions.length} intervals of a second`)
    assert.equal(await outages(s.database), [])
  } finally {
    stopped.process.kill('SIGCONT')
    await stopped.stop()
    folder.remove()
  }
})

testScene(
  'P, A6: PostgreSQL is away for ten seconds: refused, not acknowledged, not ready; then all goes on',
  async (s) => {
    const { port } = new URL(s.place.url)
    const wire: FaultyWire = await faultyWire(Number(port))
    const through = Object.assign(new URL(s.place.url), { port: `${wire.port}` }).href
    // Of the times only the end by silence is shorter than the outage: it must not come.
    const env = { INACTIVITY_WARNING_TIME: '4s', INACTIVITY_AUTO_END_TIME: '8s', DATABASE_RETRY_TIME: '1s' }
    const node = await s.node(env, through)
    try {
      const seller = await sellerOn(node, 10)
      const { token, livestreamId } = seller
      const socket = await connect(node.url, token)
      await socket.ask('subscribe', { livestream_id: livestreamId })
      assert.is((await socket.ask('start', { livestream_id: livestreamId })).ok, true)
      const before = await s.database.db.selectFrom('runs').select('last_activity_at').executeTakeFirstOrThrow()

      wire.cut()
      const cutAt = performance.now()
      while (performance.now() - cutAt < 10_000) {
        const [ping, grant, ready] = await Promise.all([
          socket.ask('ping', { livestream_id: livestreamId }),
          ask(node, 'POST', `/api/sellers/${seller.id}/credits/`, { body: { amount: 1 } }),
          fetch(`${node.url}/readyz`),
        ])
        assert.equal([ping.ok, ping.code], [false, 'temporarily_unavailable'])
        assert.equal([grant.status, grant.body['code']], [503, 'temporarily_unavailable'])
        assert.is(ready.status, 503)
        assert.is((await fetch(`${node.url}/healthz`)).status, 200)
      }
      const after = await s.database.db.selectFrom('runs').select('last_activity_at').executeTakeFirstOrThrow()
      assert.equal(after, before, 'what was refused is not stored')

      wire.mend()
      await until(async () => (await fetch(`${node.url}/readyz`)).status === 200, 'ready again')
      assert.is((await socket.ask('ping', { livestream_id: livestreamId })).ok, true)
      await grantOn(node, seller.id, 1)
      const run = await s.database.db.selectFrom('runs').selectAll().executeTakeFirstOrThrow()
      assert.is(run.ended_at, null, 'nobody was ended while nobody could be heard')
      const found = await outages(s.database)
      assert.is(found.length, 1)
      const [outage] = found
      assert.ok(outage && outage.ended_at - outage.began_at > 9_000)
    } finally {
      await wire.close()
    }
  },
)

testScene('C: PostgreSQL is not there when a server starts: it waits, and says why it gives up', async (s) => {
  const { port } = new URL(s.place.url)
  const wire = await faultyWire(Number(port))
  const through = Object.assign(new URL(s.place.url), { port: `${wire.port}` }).href
  wire.cut()
  const starting = s.node({}, through)
  await sleep(1_500)
  wire.mend()
  const node = await starting
  assert.is((await fetch(`${node.url}/readyz`)).status, 200)
  await wire.close()
})

testScene('B4: servers whose clocks are a minute apart charge by the clock of PostgreSQL', async (s) => {
  const skewed = (byMs: number) => {
    const now = () => Date.now() + byMs
    return startNode(s.place, { CREDIT_DEDUCTION_INTERVAL: '1s' }, { now, wallNow: () => Date.now() })
  }
  const late = await skewed(-30_000)
  const early = await skewed(30_000)
  s.started.push(late, early)
  const sellers = [await sellerOn(late, 10), await sellerOn(early, 10)]
  const startsFrom = Date.now()
  for (const [i, { livestreamId, token }] of sellers.entries()) {
    await ask([late, early][i] as App, 'PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  }
  const startedBy = Date.now()
  const runs = () => s.database.db.selectFrom('runs').selectAll().execute()
  await until(async () => (await runs()).every(({ billed_intervals }) => billed_intervals >= 4), 'four intervals')
  for (const { started_at, billed_intervals } of await runs()) {
    // By either server's own clock it is half a minute away. What its count is off by is milliseconds.
    assert.ok(started_at > startsFrom - 1_000 && started_at < startedBy + 1_000, 'started now, whoever was asked')
    const most = Math.floor((Date.now() + 1_000 - started_at) / 1_000) + 1
    assert.ok(billed_intervals <= most, `${billed_intervals} intervals, at most ${most}`)
  }
  assert.equal(await outages(s.database), [])
  assert.ok((await stampsOf(s.database, startedBy)).length > 2)
})

test.run()
