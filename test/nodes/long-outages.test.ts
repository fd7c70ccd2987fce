import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type App, startApp } from '../../server/app.js'
import { readConfig } from '../../server/config.js'
import { MINUTE_MS } from '../../server/domain/instant.js'
import { type Database, openDatabase } from '../../server/store/database.js'
import { insertStamp } from '../../server/store/stamps.js'
import { leftOut } from '../left-out.js'
import { faultsOfBooks } from '../support/books.js'
import { commandFolder, run, serve } from '../support/command.js'
import { type FaultyWire, faultyWire } from '../support/faulty-wire.js'
import { type DatabasePlace, databasePlace, SILENT_LOG } from '../support/fresh-database.js'
import { handClock } from '../support/hand-clock.js'
import { hasRedis, NO_REDIS, startRedis } from '../support/redis.js'
import { TEST_SECRET } from '../support/server.js'
import { connect, disconnectAll, until } from '../support/sockets.js'
import { ask, grantOn, sellerOn, startNode } from './node.js'

// What is away for long, of several servers: nobody is warned or ended for it, and charged by the rules only.

interface Scene {
  readonly place: DatabasePlace
  readonly database: Database
  /** What is undone at the end, the last first. */
  readonly after: (() => Promise<unknown>)[]
}

function testScene(title: string, run: (scene: Scene) => Promise<void>): void {
  test(title, async () => {
    const place = await databasePlace()
    const database = openDatabase(place.config)
    const after: Scene['after'] = []
    try {
      await run({ place, database, after })
      assert.equal(await faultsOfBooks(database), [])
    } finally {
      disconnectAll()
      for (const undo of after.reverse()) await undo()
      await database.close()
      await place.remove()
    }
  })
}

const outages = ({ db }: Database) => db.selectFrom('outages').selectAll().orderBy('began_at').execute()
const kindsOf = async ({ db }: Database, sellerId: string) =>
  (await db.selectFrom('events').select('kind').where('seller_id', '=', sellerId).orderBy('seq').execute()).map(
    ({ kind }) => kind,
  )
const startOn = (node: App, { livestreamId, token }: { livestreamId: string; token: string }) =>
  ask(node, 'PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
const beatOn = (node: App, { livestreamId, token }: { livestreamId: string; token: string }) =>
  ask(node, 'POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token })

async function wireTo(url: string, { after }: Scene): Promise<FaultyWire & { readonly url: string }> {
  const wire = await faultyWire(Number(new URL(url).port))
  after.push(wire.close)
  return { ...wire, url: Object.assign(new URL(url), { port: `${wire.port}` }).href }
}

testScene('A5, B12: the database is away for 20 minutes, and three servers sweep before they stamp', async (s) => {
  const clock = handClock()
  const wire = await wireTo(s.place.url, s)
  const env = { DATABASE_URL: wire.url, JWT_SECRET: TEST_SECRET, PORT: '0', DATABASE_RETRY_TIME: '1s' }
  const config = readConfig(env)
  const nodes: App[] = []
  for (let count = 0; count < 3; count += 1) {
    const node = await startApp(config, { clock, log: SILENT_LOG, isClockMovedByHand: true })
    nodes.push(node)
    s.after.push(() => node.stop())
  }
  const [one] = nodes as [App]
  const pass = async (minutes: number): Promise<void> => {
    const at = clock.now() + minutes * MINUTE_MS
    await s.database.db.transaction().execute((tx) => insertStamp(tx, at, 'another-server'))
    clock.advance(minutes * MINUTE_MS)
    for (const node of nodes) await node.sweep()
  }
  // Ann's interval 1 begins 10 minutes into the outage, and is paid; Bob's begins 18 minutes into it, and is waived.
  const ann = await sellerOn(one, 10)
  await startOn(one, ann)
  await pass(8)
  const bob = await sellerOn(one, 1)
  await startOn(one, bob)
  await beatOn(one, ann)
  await pass(6)
  for (const seller of [ann, bob]) await beatOn(one, seller)
  await pass(6)
  const wentAt = clock.now()
  wire.cut()
  clock.advance(20 * MINUTE_MS)
  await Promise.all(
    nodes.map((node) =>
      node.sweep().then(
        () => assert.unreachable(),
        () => undefined,
      ),
    ),
  )
  wire.mend()
  const sweepsAgain = async (node: App) => {
    const swept = async () =>
      node.sweep().then(
        () => true,
        () => false,
      )
    await until(swept, 'a sweep', 20_000)
  }
  await Promise.all(nodes.map(sweepsAgain))
  assert.equal(await outages(s.database), [{ began_at: wentAt, ended_at: clock.now() }], 'found once')
  const intervals = async (sellerId: string) => {
    const entries = s.database.db.selectFrom('ledger_entries').select('interval_index').orderBy('id')
    const rows = await entries.where('seller_id', '=', sellerId).where('kind', '=', 'deduction').execute()
    return rows.map(({ interval_index }) => interval_index)
  }
  assert.equal([await intervals(ann.id), await intervals(bob.id)], [[0, 1], [0]])
  const runs = await s.database.db.selectFrom('runs').selectAll().orderBy('id').execute()
  assert.equal(
    runs.map((run) => [run.ended_at, run.warned_at, run.silent_since, run.billed_intervals]),
    [clock.now(), clock.now()].map((at) => [null, null, at, 2]),
  )
  for (const { id } of [ann, bob]) assert.not((await kindsOf(s.database, id)).includes('inactivity_warning'))
})

testScene('A5: all servers are down while `monitor_credits` runs: nobody is warned or ended for that', async (s) => {
  const env = {
    DATABASE_URL: s.place.url,
    CREDIT_DEDUCTION_INTERVAL: '1h',
    INACTIVITY_WARNING_TIME: '8s',
    INACTIVITY_AUTO_END_TIME: '10s',
  }
  const folder = commandFolder(env)
  s.after.push(async () => folder.remove())
  const servers = [await serve(folder), await serve(folder)]
  for (const { process } of servers) s.after.push(async () => process.kill('SIGKILL'))
  const near = await startNode(s.place, env)
  const seller = await sellerOn(near, 10)
  await startOn(near, seller)
  // Killed at once with the others: what it stamps in stopping is before the outage.
  for (const { process } of servers) process.kill('SIGKILL')
  await Promise.all(servers.map(({ finished }) => finished))
  await near.stop()
  const downAt = Date.now()
  let passes = 0
  while (Date.now() - downAt < 13_000) {
    const { code, out, err } = await run(folder, ['monitor_credits', '--run-once'])
    assert.equal([code, err], [0, ''])
    assert.match(out, /0 deducted, 0 warned, 0 ended/)
    passes += 1
    await sleep(500)
  }
  assert.ok(passes > 1, `${passes} passes`)
  const back = await Promise.all([startNode(s.place, env), startNode(s.place, env)])
  for (const node of back) s.after.push(() => node.stop())
  await Promise.all(back.map((node) => node.sweep()))
  const found = await outages(s.database)
  assert.is(found.length, 1, 'found once, by two that started at once')
  assert.ok(found[0] && found[0].ended_at - found[0].began_at > 12_000)
  assert.equal(await kindsOf(s.database, seller.id), ['credit_update', 'stream_started', 'credit_update'])
  assert.is((await beatOn(back[0] as App, seller)).status, 200)
})

testScene('C: beside a newer version an older server says that it is not ready, and does not start anew', async (s) => {
  const node = await startNode(s.place)
  s.after.push(() => node.stop())
  assert.is((await fetch(`${node.url}/readyz`)).status, 200)
  await sql`insert into schema_migrations (name, timestamp) values ('9999-later', '2099-01-01')`.execute(s.database.db)
  const ready = await fetch(`${node.url}/readyz`)
  assert.is(ready.status, 503)
  assert.match(await ready.text(), /a newer version of Tallylight migrated the database: 9999-later/)
  assert.is((await fetch(`${node.url}/healthz`)).status, 200)
  const folder = commandFolder({ DATABASE_URL: s.place.url })
  s.after.push(async () => folder.remove())
  const { code, err } = await run(folder, ['serve'])
  assert.is(code, 1)
  assert.match(
    err,
    /written by a newer version of Tallylight \(it has 9999-later\)\. Install that version or a later one/,
  )
})

const AWAY_MS = 30_000

async function allAway(s: Scene): Promise<void> {
  const redis = await startRedis()
  s.after.push(() => redis.kill())
  const wire = await wireTo(s.place.url, s)
  const env = {
    REDIS_URL: redis.url,
    INACTIVITY_WARNING_TIME: '15s',
    INACTIVITY_AUTO_END_TIME: '20s',
    DATABASE_RETRY_TIME: '1s',
  }
  const nodes = [await startNode(wire, env), await startNode(wire, env)] as const
  for (const node of nodes) s.after.push(() => node.stop())
  const seller = await sellerOn(nodes[0], 10)
  const of = { livestream_id: seller.livestreamId }
  const sockets = await Promise.all(nodes.map((node) => connect(node.url, seller.token)))
  for (const socket of sockets) await socket.ask('subscribe', of)
  assert.is((await sockets[0]?.ask('start', of))?.ok, true)

  wire.cut()
  await redis.kill()
  const cutAt = performance.now()
  while (performance.now() - cutAt < AWAY_MS) {
    const pings = await Promise.all(sockets.map((socket) => socket.ask('ping', of)))
    for (const { ok, code } of pings) assert.equal([ok, code], [false, 'temporarily_unavailable'])
    for (const node of nodes) {
      assert.is((await fetch(`${node.url}/readyz`)).status, 503)
      assert.is((await fetch(`${node.url}/healthz`)).status, 200)
    }
    await sleep(500)
  }
  wire.mend()
  await redis.start()
  for (const node of nodes) {
    await until(async () => (await fetch(`${node.url}/readyz`)).status === 200, 'ready again', 20_000)
  }
  for (const socket of sockets) {
    await until(async () => (await socket.ask('ping', of)).ok === true, 'a ping that is heard', 20_000)
  }
  await grantOn(nodes[0], seller.id, 1)
  const kinds = ['credit_update', 'stream_started', 'credit_update', 'credit_update']
  assert.equal(await kindsOf(s.database, seller.id), kinds, 'nobody was warned or ended')
  for (const socket of sockets) {
    await until(() => socket.events.at(-1)?.seq === 4, 'the grant, on both', 20_000)
    assert.equal(
      socket.events.map(({ seq }) => seq),
      [2, 3, 4],
    )
  }
  assert.is((await outages(s.database)).length, 1)
}

const ALL_AWAY = `P, A5, A6: PostgreSQL and Redis are away for ${AWAY_MS / 1_000} s: refused, not ready; then all goes on`
if (hasRedis) testScene(ALL_AWAY, allAway)
else leftOut.push(NO_REDIS)

test.run()
