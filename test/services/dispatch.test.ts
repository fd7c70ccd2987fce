import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { NumberedEvent, Outcome } from '../../server/domain/outcome.js'
import { createDispatch, type Dispatch, type Subscriber, UNKNOWN_YET } from '../../server/services/dispatch.js'
import { ensureAccount, loadAccount } from '../../server/store/accounts.js'
import type { Database } from '../../server/store/database.js'
import { insertEvents } from '../../server/store/events.js'
import { openKept } from '../../server/store/kept-sqlite.js'
import { freshDatabase, SILENT_LOG, testsPostgres } from '../support/fresh-database.js'
import { until } from '../support/sockets.js'

// The dispatch alone, on a real database: what sockets cannot bring about on purpose, which is every order of a write, a
// push, a look and a join.

const database = await freshDatabase()
const writer = database.another()
test.after(database.close)

let sellers = 0

interface Channel {
  readonly sellerId: string
  readonly dispatch: Dispatch
  /** Writes the next events, as another process does. */
  write(count: number): Promise<Outcome>
  /** A subscriber that has everything up to its cursor; `heard` is what it is sent. */
  subscriber(cursor: number): Subscriber & { heard: number[] }
}

async function channel(on: Database = database): Promise<Channel> {
  sellers += 1
  const sellerId = `seller-${sellers}`
  let lastSeq = 0
  await ensureAccount(writer.db, sellerId, 0)
  return {
    sellerId,
    dispatch: createDispatch(on, SILENT_LOG),
    async write(count) {
      const events: NumberedEvent[] = []
      for (; events.length < count; ) {
        lastSeq += 1
        const about = { occurred_at: '', livestream_id: 'x', run_id: 1, last_activity: '' }
        events.push({ kind: 'inactivity_cleared', at: 0, payload: { seq: lastSeq, ...about } })
      }
      const seller = events.map((event) => ({ sellerId, event }))
      await writer.db.transaction().execute((tx) => insertEvents(tx, seller))
      return { sellerId, balance: 0, lastSeq, entries: [], runs: [], events }
    },
    subscriber(cursor) {
      const heard: number[] = []
      return { cursor, heard, send: (_kind, payload) => heard.push((payload as { seq: number }).seq) }
    },
  }
}

/** Joins, and catches up with what is written already, as a subscription does. */
async function join(dispatch: Dispatch, sellerId: string, subscriber: Subscriber): Promise<void> {
  dispatch.join(sellerId, subscriber)
  await dispatch.catchUp(sellerId, (await loadAccount(writer.db, sellerId)).lastSeq)
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)

test('V3: a join sends what is there, in pages, and then what is pushed', async () => {
  const { sellerId, dispatch, write, subscriber } = await channel()
  await write(1_200)
  const one = subscriber(100)
  await join(dispatch, sellerId, one)
  assert.equal(one.heard, range(101, 1_200))
  dispatch.push(await write(3))
  assert.equal(one.heard, range(101, 1_203))
})

test('V3: pushes that come too late, twice or in the wrong order are sent once and in order', async () => {
  const { sellerId, dispatch, write, subscriber } = await channel()
  const outcomes = [await write(1), await write(2), await write(3), await write(1)]
  const one = subscriber(0)
  await join(dispatch, sellerId, subscriber(7))
  const joining = join(dispatch, sellerId, one)
  for (const outcome of [...outcomes].reverse()) dispatch.push(outcome)
  for (const outcome of outcomes) dispatch.push(outcome)
  await joining
  await until(() => one.heard.length === 7, 'seven events')
  assert.equal(one.heard, range(1, 7))
})

test('V3: what nobody pushed is found by the look, and a look where nothing was written reads nothing', async () => {
  const { sellerId, dispatch, write, subscriber } = await channel()
  const one = subscriber(0)
  await join(dispatch, sellerId, one)
  await write(2)
  await dispatch.lookForMissed()
  assert.equal(one.heard, [1, 2])
  await dispatch.lookForMissed()
  assert.equal(one.heard, [1, 2])
})

test('V3: what is pushed between a join and its cursor is sent once the cursor is known, and nothing before', async () => {
  const { sellerId, dispatch, write, subscriber } = await channel()
  const [there, one] = [subscriber(0), subscriber(UNKNOWN_YET)]
  await join(dispatch, sellerId, there)
  dispatch.push(await write(2))
  dispatch.join(sellerId, one)
  dispatch.push(await write(3))
  await until(() => there.heard.length === 5, 'the events of the other')
  assert.equal(one.heard, [])
  // The snapshot was read before the last three.
  one.cursor = 2
  await dispatch.catchUp(sellerId, 2)
  dispatch.push(await write(1))
  await until(() => one.heard.length === 4, 'what came meanwhile')
  assert.equal([there.heard, one.heard], [range(1, 6), range(3, 6)])
})

test('V3: who has left is sent nothing more', async () => {
  const { sellerId, dispatch, write, subscriber } = await channel()
  const [one, two] = [subscriber(0), subscriber(0)]
  await join(dispatch, sellerId, one)
  await join(dispatch, sellerId, two)
  dispatch.leave(sellerId, one)
  dispatch.push(await write(1))
  dispatch.leave(sellerId, two)
  dispatch.push(await write(1))
  await dispatch.lookForMissed()
  await dispatch.catchUp(sellerId, 2)
  assert.equal([one.heard, two.heard], [[], [1]])
})

// By turns of the event loop, which PostgreSQL, over the wire, has no say in.
const testOnSqlite = testsPostgres ? test.skip : test
testOnSqlite('V3: a push at any moment of a catch-up is sent', async () => {
  // Kysely needs many turns for a statement; this one writes within one.
  const sqlite = openKept(database.file)
  const insert = sqlite.prepare("insert into events values (?, ?, 'inactivity_cleared', 0, ?)")
  for (let step = 0; step < 150; step += 1) {
    const { sellerId, dispatch, write, subscriber } = await channel()
    const one = subscriber(0)
    await join(dispatch, sellerId, one)
    await write(1)
    const caughtUp = dispatch.catchUp(sellerId, 1)
    for (let tick = 0; tick < step; tick += 1) await null
    insert.run(sellerId, 2, '{"seq":2}')
    const events = [{ kind: 'inactivity_cleared', at: 0, payload: { seq: 2 } }] as unknown as NumberedEvent[]
    dispatch.push({ sellerId, balance: 0, lastSeq: 2, entries: [], runs: [], events })
    await caughtUp
    await sleep(1)
    assert.equal(one.heard, [1, 2], `after ${step} steps`)
  }
  sqlite.close()
})

test('V3: a join at any moment of a catch-up gets everything past its cursor', async () => {
  for (let step = 0; step < 120; step += 4) {
    const { sellerId, dispatch, write, subscriber } = await channel()
    const [one, late] = [subscriber(0), subscriber(1)]
    await join(dispatch, sellerId, one)
    await write(3)
    const caughtUp = dispatch.catchUp(sellerId, 3)
    for (let tick = 0; tick < step; tick += 1) await null
    await join(dispatch, sellerId, late)
    await caughtUp
    assert.equal(
      [one.heard, late.heard],
      [
        [1, 2, 3],
        [2, 3],
      ],
      `after ${step} steps`,
    )
  }
})

test('V3: a subscriber whose next event is no longer kept holds nobody up', async () => {
  const { sellerId, dispatch, write, subscriber } = await channel()
  await write(5)
  await sql`delete from events where seller_id = ${sellerId} and seq <= 3`.execute(writer.db)
  const [stuck, well] = [subscriber(1), subscriber(3)]
  await join(dispatch, sellerId, stuck)
  await join(dispatch, sellerId, well)
  dispatch.push(await write(1))
  await until(() => well.heard.length === 3, 'the events of the other')
  assert.equal([stuck.heard, well.heard], [[], [4, 5, 6]])
})

test('V3: events that could not be read are sent by the next look', async () => {
  const failing = database.another()
  const { sellerId, dispatch, write, subscriber } = await channel(failing)
  const one = subscriber(0)
  await join(dispatch, sellerId, one)
  await dispatch.lookForMissed()
  await write(1)
  const second = await write(1)
  // One event is missing before this one, and the database is gone when it is to be read.
  await failing.close()
  dispatch.push(second)
  await sleep(5)
  assert.equal(one.heard, [])
  let failed = false
  await dispatch.lookForMissed().catch(() => {
    failed = true
  })
  assert.ok(failed)
  // A channel that failed once is not stuck: what fits its cursor is still sent.
  dispatch.push({ ...second, lastSeq: 1, events: [{ ...second.events[0], payload: { seq: 1 } }] as never })
  assert.equal(one.heard, [1])
})

test.run()
