import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS } from '../../server/domain/instant.js'
import type { Policy } from '../../server/domain/policy.js'
import { moveSellerCredits } from '../../server/services/credits.js'
import { createMetering, type Metering } from '../../server/services/metering.js'
import { commandTimekeeper, serverTimekeeper } from '../../server/services/timekeeper.js'
import type { Database } from '../../server/store/database.js'
import { insertStamp, lastStamp } from '../../server/store/stamps.js'
import { faultsOfBooks } from '../support/books.js'
import { writeMark } from '../support/database-facts.js'
import { type FreshDatabase, freshDatabase } from '../support/fresh-database.js'
import { type HandClock, handClock } from '../support/hand-clock.js'
import { goLive, type LiveSeller } from '../support/many-sellers.js'

const policy: Policy = {
  intervalMs: 30 * MINUTE_MS,
  warningMs: 40 * MINUTE_MS,
  autoEndMs: 50 * MINUTE_MS,
  lowCreditThreshold: 2,
  refundGraceMs: 0,
}

interface Told {
  readonly database: FreshDatabase
  readonly clock: HandClock
  readonly server: Metering
  /** The same services as a command has them, on another connection. */
  readonly command: Metering
  readonly reader: Database
  readonly ann: LiveSeller
  /** A server's sign of life, now. */
  stamp(): Promise<void>
}

/** Ann went live on 3 credits at the beginning, and has 2 left; a server stamped then. */
function testTime(title: string, run: (told: Told) => Promise<void>): void {
  test(title, async () => {
    const database = await freshDatabase()
    const reader = database.another()
    const clock = handClock()
    const announce = () => undefined
    const server = createMetering({
      db: database.db,
      clock,
      timekeeper: serverTimekeeper(clock, 'server'),
      announce,
    })
    const command = createMetering({ db: reader.db, clock, timekeeper: commandTimekeeper(clock), announce })
    const stamp = (): Promise<void> => database.db.transaction().execute((tx) => insertStamp(tx, clock.now(), 'server'))
    const [ann] = await goLive(database, { count: 1, credits: 3, at: clock.now(), policy })
    if (!ann) throw new Error('nobody is live')
    await stamp()
    try {
      await run({ database, clock, server, command, reader, ann, stamp })
      assert.equal(await faultsOfBooks(reader), [])
    } finally {
      await database.close()
    }
  })
}

let keys = 0
async function grant(as: Metering, { id }: LiveSeller): Promise<void> {
  keys += 1
  await moveSellerCredits(as, policy, { sellerId: id, amount: 1, idempotencyKey: `key-${keys}` })
}

/** Whether a promise is still open after so long. */
async function isPending(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const open = Symbol('open')
  return (await Promise.race([promise, sleep(ms, open)])) === open
}

async function ledger({ reader }: Told): Promise<string[]> {
  const rows = await reader.db.selectFrom('ledger_entries').selectAll().orderBy('id').execute()
  return rows.map(({ kind, interval_index }) => (interval_index === null ? kind : `${kind} ${interval_index}`))
}

const runOf = ({ reader, ann }: Told) =>
  reader.db.selectFrom('runs').selectAll().where('id', '=', ann.runId).executeTakeFirstOrThrow()

testTime('A5: a command waits for the next stamp where something falls between the last one and now', async (told) => {
  const { clock, command, ann, stamp } = told
  clock.advance(30 * MINUTE_MS - 1_000)
  await stamp()
  // The interval of 30 minutes began a second after the last stamp, and a second ago.
  clock.advance(2_000)
  const granting = grant(command, ann)
  assert.ok(await isPending(granting, 350), 'it did not wait')
  assert.equal(await ledger(told), ['grant', 'deduction 0'])
  await stamp()
  await granting
  assert.equal(await ledger(told), ['grant', 'deduction 0', 'deduction 1', 'grant'])
})

testTime('A5: a command does not wait where nothing falls between the last stamp and now', async (told) => {
  const { clock, command, ann, stamp } = told
  clock.advance(29 * MINUTE_MS)
  await stamp()
  clock.advance(3_000)
  assert.is(await isPending(grant(command, ann), 10_000), false)
  assert.equal(await ledger(told), ['grant', 'deduction 0', 'grant'])
})

testTime('A5: a command that waits for a server that has died goes on once that is an outage', async (told) => {
  const { clock, command, ann, stamp } = told
  clock.advance(30 * MINUTE_MS - 1_000)
  await stamp()
  clock.advance(3_000)
  const granting = grant(command, ann)
  assert.ok(await isPending(granting, 350), 'it did not wait')
  clock.advance(1)
  await granting
  // Within the auto-end time of the outage's beginning, an interval is paid.
  assert.equal(await ledger(told), ['grant', 'deduction 0', 'deduction 1', 'grant'])
})

testTime(
  'A5, B12: a command in an open outage settles up to now, waives, ends nobody, and stamps nothing',
  async (told) => {
    const { clock, command, server, reader, ann, stamp } = told
    clock.advance(20 * MINUTE_MS)
    await stamp()
    const beganAt = clock.now()
    clock.advance(3 * 60 * MINUTE_MS)
    await grant(command, ann)
    // 10 and 40 minutes into the outage are paid, the others are waived.
    assert.equal(await ledger(told), ['grant', 'deduction 0', 'deduction 1', 'deduction 2', 'grant'])
    const run = await runOf(told)
    assert.equal([run.ended_at, run.billed_intervals, run.warned_at], [null, 7, null])
    assert.is(await lastStamp(reader.db), beganAt)
    assert.equal(await reader.db.selectFrom('outages').selectAll().execute(), [])

    // The server that comes back closes it, and finds nothing that is to be done otherwise.
    clock.advance(5 * MINUTE_MS)
    await server.withSeller(ann.id, () => null)
    assert.equal(await reader.db.selectFrom('outages').selectAll().execute(), [
      { began_at: beganAt, ended_at: clock.now() },
    ])
    assert.equal((await ledger(told)).length, 5)
    assert.is((await runOf(told)).silent_since, clock.now())
  },
)

testTime('A5: a command before any server ever stamped settles up to now', async (told) => {
  const { database, clock, command, ann } = told
  await database.db.deleteFrom('stamps').execute()
  clock.advance(35 * MINUTE_MS)
  await grant(command, ann)
  assert.equal(await ledger(told), ['grant', 'deduction 0', 'deduction 1', 'grant'])
})

testTime(
  'A5: a server stamps first in every transaction that settles, and two of them close a gap once',
  async (told) => {
    const { clock, server, reader, ann } = told
    const beganAt = clock.now()
    clock.advance(10 * MINUTE_MS)
    const another = createMetering({
      db: reader.db,
      clock,
      timekeeper: serverTimekeeper(clock, 'another-server'),
      announce: () => undefined,
    })
    await Promise.all([server, another, server, another].map((of) => of.withSeller(ann.id, () => null)))
    const stamps = await reader.db.selectFrom('stamps').select('server_id').where('at', '=', clock.now()).execute()
    assert.equal([...new Set(stamps.map(({ server_id }) => server_id))].sort(), ['another-server', 'server'])
    assert.equal(await reader.db.selectFrom('outages').selectAll().execute(), [
      { began_at: beganAt, ended_at: clock.now() },
    ])
  },
)

testTime('B4: time stands still until the clock has caught up with the newest stamp, whoever made it', async (told) => {
  const { clock, server, command, ann, database } = told
  const ahead = clock.now() + 30 * MINUTE_MS
  await database.db.transaction().execute((tx) => insertStamp(tx, ahead, 'a server with a clock that is ahead'))
  for (const of of [server, command]) {
    await of.withSeller(ann.id, (_tx, tally) => assert.is(tally.now, ahead))
    assert.is(await of.readSeller(ann.id, (_tx, tally) => tally.now), ahead)
  }
  assert.equal(await ledger(told), ['grant', 'deduction 0', 'deduction 1'])
})

testTime('B11: who reads sees everything up to now, and writes only where something is due', async (told) => {
  const { clock, server, reader, ann, stamp } = told
  const read = () =>
    server.readSeller(ann.id, (_tx, tally, settled) => ({ balance: tally.balance, settled: settled.length }))
  clock.advance(30 * MINUTE_MS - 1)
  await stamp()
  const mark = await writeMark(reader)
  assert.equal(await read(), { balance: 2, settled: 0 })
  assert.is(await writeMark(reader), mark)
  clock.advance(1)
  assert.equal(await read(), { balance: 1, settled: 1 })
  assert.is.not(await writeMark(reader), mark)
  assert.equal(await read(), { balance: 1, settled: 0 })
})

test.run()
