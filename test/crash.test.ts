import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openDatabase } from '../server/store/database.js'
import { commandFolder, run, type Served, serve } from './support/command.js'
import { freePort } from './support/free-port.js'
import { type StubbornClient, stubbornClient } from './support/stubborn-client.js'

// A real server with 200 sellers who stream and ping, killed in the middle ten times and started again each time.

const SELLERS = 200
const KILLS = 10
const INTERVAL_MS = 2_000

const port = await freePort()
const folder = commandFolder({
  PORT: String(port),
  CREDIT_DEDUCTION_INTERVAL: `${INTERVAL_MS}ms`,
  INACTIVITY_WARNING_TIME: '20s',
  INACTIVITY_AUTO_END_TIME: '30s',
})
const { file } = folder
let server: Served | undefined
let clients: StubbornClient[] = []
let seen = 0

test.after(async () => {
  for (const client of clients) client.leave()
  server?.process.kill('SIGKILL')
  folder.remove()
})

test('B4, B5, A6, V3: killed ten times, it charges each interval once and forgets nothing that it acknowledged', async () => {
  server = await serve(folder)
  clients = await Promise.all(Array.from({ length: SELLERS }, (_, index) => stubbornClient(port, `seller-${index}`)))
  await Promise.all(clients.map((client) => client.start()))
  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(1_200 + Math.random() * 1_000)
    server.process.kill('SIGKILL')
    await server.finished
    server = await serve(folder)
  }
  await sleep(3_000)
  seen = Date.now()
  for (const client of clients) client.leave()
  await server.stop()
  assert.match((await run(folder, ['audit'])).out, /audit clean/)
  const reconnects = clients.reduce((sum, client) => sum + client.reconnects, 0)
  assert.ok(reconnects >= (SELLERS * KILLS) / 2, `the clients were there through the kills: ${reconnects} reconnects`)
})

test('B2, B5: no interval was charged twice or missed', async () => {
  const { db, close } = openDatabase(file)
  try {
    const runs = await db.selectFrom('runs').selectAll().execute()
    assert.is(runs.length, SELLERS)
    for (const run of runs) {
      const deductions = await db
        .selectFrom('ledger_entries')
        .select(['interval_index', 'occurred_at'])
        .where('run_id', '=', run.id)
        .where('kind', '=', 'deduction')
        .orderBy('id')
        .execute()
      const expected = deductions.map((_, index) => ({
        interval_index: index,
        occurred_at: run.started_at + index * INTERVAL_MS,
      }))
      assert.equal(deductions, expected)
      // Whatever began more than a second before the end of the test was there to be charged.
      assert.ok(deductions.length >= Math.floor((seen - 1_000 - run.started_at) / INTERVAL_MS) + 1, `run ${run.id}`)
      assert.is(run.ended_at, null)
    }
  } finally {
    await close()
  }
})

test('A6: every acknowledged heartbeat is in the database', async () => {
  const { db, close } = openDatabase(file)
  try {
    for (const { livestreamId, acknowledgedAt, acknowledged } of clients) {
      assert.ok(acknowledged > KILLS, 'heartbeats were acknowledged all along')
      const run = await db
        .selectFrom('runs')
        .select('last_activity_at')
        .where('livestream_id', '=', livestreamId)
        .executeTakeFirstOrThrow()
      assert.ok(run.last_activity_at >= acknowledgedAt, `${livestreamId}: ${run.last_activity_at} < ${acknowledgedAt}`)
    }
  } finally {
    await close()
  }
})

test('V2, V3: every client was sent its events in order, without a gap, across all kills', async () => {
  const { db, close } = openDatabase(file)
  try {
    for (const { sellerId, sequences } of clients) {
      assert.equal(
        sequences,
        sequences.map((_, index) => index + 1),
      )
      const { last_seq } = await db
        .selectFrom('credit_accounts')
        .select('last_seq')
        .where('seller_id', '=', sellerId)
        .executeTakeFirstOrThrow()
      // The last events may have been written after the client left.
      assert.ok(last_seq - sequences.length <= 3, `${sellerId} has ${sequences.length} of ${last_seq}`)
    }
  } finally {
    await close()
  }
})

test.run()
