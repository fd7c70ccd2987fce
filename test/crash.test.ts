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
/** Of each seller, the last event that was written when all the kills were over. */
let written = new Map<string, number>()

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
    await everybodyIsAnswered()
    await sleep(Math.random() * 800)
    server.process.kill('SIGKILL')
    await server.finished
    server = await serve(folder)
  }
  await everybodyIsAnswered()
  await everybodyHasHeardAll()
  seen = Date.now()
  for (const client of clients) client.leave()
  await server.stop()
  assert.match((await run(folder, ['audit'])).out, /audit clean/)
})

test('B2, B5: no interval was charged twice or missed', async () => {
  const { db, close } = openDatabase({ kind: 'sqlite', file })
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
      // Whatever began some seconds before the end of the test was there to be charged, on a busy machine too.
      assert.ok(deductions.length >= Math.floor((seen - 5_000 - run.started_at) / INTERVAL_MS) + 1, `run ${run.id}`)
      assert.is(run.ended_at, null)
    }
  } finally {
    await close()
  }
})

test('A6: every acknowledged heartbeat is in the database', async () => {
  const { db, close } = openDatabase({ kind: 'sqlite', file })
  try {
    for (const { livestreamId, acknowledgedAt, acknowledged } of clients) {
      assert.ok(acknowledged > KILLS, `${livestreamId} was acknowledged after each kill`)
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
  const { db, close } = openDatabase({ kind: 'sqlite', file })
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
      // What was written after the client had heard all and left, it did not hear.
      const heard = sequences.length
      assert.ok(heard >= (written.get(sellerId) ?? Infinity) && heard <= last_seq, `${sellerId}: ${heard}`)
    }
  } finally {
    await close()
  }
})

/** Waits until every client has come back and got a heartbeat through. */
async function everybodyIsAnswered(): Promise<void> {
  const before = clients.map(({ acknowledged }) => acknowledged)
  await until('every client is answered', () =>
    clients.every((client, index) => client.acknowledged > (before[index] ?? 0)),
  )
}

/** Waits until every client has been sent all that is written by now. */
async function everybodyHasHeardAll(): Promise<void> {
  const { db, close } = openDatabase({ kind: 'sqlite', file })
  const accounts = await db.selectFrom('credit_accounts').select(['seller_id', 'last_seq']).execute()
  await close()
  written = new Map(accounts.map(({ seller_id, last_seq }) => [seller_id, last_seq]))
  await until('every client has heard all', () =>
    clients.every(({ sellerId, sequences }) => sequences.length >= (written.get(sellerId) ?? 0)),
  )
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (isSo()) return
    await sleep(100)
  }
  throw new Error(`it did not happen within 30 s that ${what}`)
}

test.run()
