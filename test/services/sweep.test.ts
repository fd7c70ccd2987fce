import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS } from '../../server/domain/instant.js'
import type { Outcome } from '../../server/domain/outcome.js'
import type { Policy } from '../../server/domain/policy.js'
import { createMetering } from '../../server/services/metering.js'
import { startSweep, sweepOnce } from '../../server/services/sweep.js'
import { commandTimekeeper, serverTimekeeper } from '../../server/services/timekeeper.js'
import { lockAccounts } from '../../server/store/accounts.js'
import { PASS_BEGIN } from '../../server/store/due.js'
import { faultsOfBooks } from '../support/books.js'
import { writeMark } from '../support/database-facts.js'
import { SILENT_LOG, testsPostgres } from '../support/fresh-database.js'
import { goLive, type LiveSeller } from '../support/many-sellers.js'
import { until } from '../support/sockets.js'
import { type SweptDatabase, sweptDatabase } from '../support/swept-database.js'

const policy: Policy = {
  intervalMs: 30 * MINUTE_MS,
  warningMs: 40 * MINUTE_MS,
  autoEndMs: 50 * MINUTE_MS,
  lowCreditThreshold: 2,
  refundGraceMs: 0,
}

function testSweep(title: string, run: (swept: SweptDatabase) => Promise<void>): void {
  test(title, async () => {
    const swept = await sweptDatabase()
    try {
      await run(swept)
      assert.equal(await faultsOfBooks(swept.reader), [])
    } finally {
      await swept.database.close()
    }
  })
}

const live = ({ database, clock }: SweptDatabase, count: number, credits: number, of = policy): Promise<LiveSeller[]> =>
  goLive(database, { count, credits, at: clock.now(), policy: of })

async function billed({ reader }: SweptDatabase): Promise<Record<string, number>> {
  const rows = await reader.db.selectFrom('runs').select(['billed_intervals', 'end_reason']).execute()
  const counts: Record<string, number> = {}
  for (const { billed_intervals, end_reason } of rows) {
    const name = `${billed_intervals}${end_reason === null ? '' : ` ${end_reason}`}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

testSweep('B2, B3: 600 sellers that are due at once are settled in several batches, each once', async (swept) => {
  const { clock, metering, announced, elapse } = swept
  await live(swept, 300, 10)
  await live(swept, 300, 1)
  await elapse(30 * MINUTE_MS)
  let turns = 0
  let sweeping = true
  const count = (): void => {
    turns += 1
    if (sweeping) setImmediate(count)
  }
  setImmediate(count)
  const told: string[] = []
  await sweepOnce(metering, clock, { onOutcome: ({ sellerId }) => told.push(sellerId) })
  sweeping = false
  assert.equal(await billed(swept), { '2': 300, '1 credits_exhausted': 300 })
  assert.is(new Set(told).size, 600)
  assert.is(told.length, 600)
  assert.equal(
    announced.map(({ sellerId }) => sellerId),
    told,
  )
  // Batches of 500 runs at most, and other work in between.
  assert.ok(turns >= 2, `${turns} turns`)

  await sweepOnce(metering, clock)
  assert.is(announced.length, 600)
})

testSweep('a pass that is told to stop ends with its batch, and the next one does the rest', async (swept) => {
  const { clock, metering, announced, elapse } = swept
  await live(swept, 600, 10)
  await elapse(30 * MINUTE_MS)
  const stopping = new AbortController()
  await sweepOnce(metering, clock, { onOutcome: () => stopping.abort(), signal: stopping.signal })
  assert.ok(announced.length > 0 && announced.length <= 500, `${announced.length} were settled`)
  assert.equal(await billed(swept), { '1': 600 - announced.length, '2': announced.length })
  // Requests that wait slow it down, and keep nobody from being charged.
  await sweepOnce(metering, clock, { othersWait: () => true })
  assert.equal(await billed(swept), { '2': 600 })
})

testSweep(
  'on SQLite, checkpoints are seldom while a pass has the event loop to itself, and only then',
  async (swept) => {
    if (testsPostgres) return
    const { database, clock, metering, elapse } = swept
    const checkpoints = async (): Promise<unknown> => {
      const { rows } = await sql<Record<string, unknown>>`pragma wal_autocheckpoint`.execute(database.db)
      return Object.values(rows[0] ?? {})[0]
    }
    /** How many pages come between two checkpoints, after each batch of a pass. */
    const within = async (doOthersWait: () => boolean): Promise<unknown[]> => {
      await elapse(30 * MINUTE_MS)
      const seen: Promise<unknown>[] = []
      const othersWait = (): boolean => {
        seen.push(checkpoints())
        return doOthersWait()
      }
      await sweepOnce(metering, clock, { othersWait })
      return Promise.all(seen)
    }
    await live(swept, 600, 10, { ...policy, warningMs: 400 * MINUTE_MS, autoEndMs: 500 * MINUTE_MS })
    const quiet = await within(() => false)
    assert.ok(quiet.length > 1)
    assert.equal(new Set(quiet), new Set([4_000]))
    assert.is(await checkpoints(), 200)
    const [first, ...others] = await within(() => true)
    assert.is(first, 200)
    assert.equal(new Set(others), new Set([200]))
    // As soon as one comes.
    let batches = 0
    const busy = await within(() => {
      batches += 1
      return batches > 1
    })
    assert.equal(busy.slice(0, 3), [4_000, 200, 200])
  },
)

testSweep('B4: sellers that fall due while a pass is under way wait for the next one', async (swept) => {
  const { clock, metering, elapse } = swept
  await live(swept, 300, 10)
  await elapse(15 * MINUTE_MS)
  await live(swept, 300, 10)
  await elapse(15 * MINUTE_MS)
  const passing = sweepOnce(metering, clock)
  await elapse(15 * MINUTE_MS)
  await passing
  await sweepOnce(metering, clock)
  assert.equal(await billed(swept), { '2': 600 })
})

testSweep('B11: a pass with nothing due writes nothing', async (swept) => {
  const { reader, clock, metering, elapse } = swept
  await sweepOnce(metering, clock)
  await live(swept, 5, 10)
  await elapse(30 * MINUTE_MS - 1)
  const mark = await writeMark(reader)
  for (let count = 0; count < 20; count += 1) await sweepOnce(metering, clock)
  assert.is(await writeMark(reader), mark)
  clock.advance(1)
  await sweepOnce(metering, clock)
  assert.is.not(await writeMark(reader), mark)
  const settled = await writeMark(reader)
  await sweepOnce(metering, clock)
  assert.is(await writeMark(reader), settled)
})

testSweep('B5: sweeps at once, of two servers and a monitor, deduct each interval once', async (swept) => {
  const { reader, clock, metering, announced, elapse } = swept
  await live(swept, 600, 10)
  const beside = { db: reader.db, clock, announce: (outcome: Outcome) => announced.push(outcome) }
  const another = createMetering({ ...beside, timekeeper: serverTimekeeper(clock, 'another-server') })
  const monitor = createMetering({ ...beside, timekeeper: commandTimekeeper(clock) })
  await elapse(30 * MINUTE_MS)
  await Promise.all([metering, another, monitor, metering].map((of) => sweepOnce(of, clock)))
  assert.equal(await billed(swept), { '2': 600 })
  const deducted = announced.flatMap(({ entries }) => entries)
  assert.is(deducted.length, 600)
})

testSweep('A5: a monitor in an open outage ends its pass, though its runs stay due', async (swept) => {
  const { reader, clock, announced } = swept
  await live(swept, 300, 10, { ...policy, warningMs: 10 * MINUTE_MS, autoEndMs: 15 * MINUTE_MS })
  clock.advance(2 * 60 * MINUTE_MS)
  const monitor = createMetering({
    db: reader.db,
    clock,
    timekeeper: commandTimekeeper(clock),
    announce: (outcome) => announced.push(outcome),
  })
  await sweepOnce(monitor, clock)
  await sweepOnce(monitor, clock)
  // Interval 1 begins 30 minutes into the outage: waived, as all that follow.
  assert.equal(await billed(swept), { '5': 300 })
  assert.equal(
    announced.flatMap(({ events }) => events),
    [],
  )
  const stamps = await reader.db.selectFrom('stamps').selectAll().execute()
  assert.ok(
    stamps.every(({ at }) => at < clock.now()),
    'a command stamped',
  )
  // A server comes back and closes it, and the books are right.
  await sweepOnce(swept.metering, clock)
})

testSweep('B2: the sweep wakes when the next run is due, however long it may sleep', async (swept) => {
  const { clock, metering, announced, elapse } = swept
  await live(swept, 3, 10, { ...policy, intervalMs: 700 })
  const sweep = startSweep(metering, clock, 60 * MINUTE_MS, SILENT_LOG)
  try {
    await sleep(300)
    assert.is(announced.length, 0)
    await elapse(700)
    await until(() => announced.length === 3, 'the first deductions')
    // A start that is due sooner than what it knows of.
    await live(swept, 1, 10, { ...policy, intervalMs: 100 })
    sweep.expect(clock.now() + 100)
    await elapse(100)
    await until(() => announced.length === 4, 'the deduction of the new run')
  } finally {
    await sweep.stop()
  }
  await elapse(700)
  await sleep(300)
  assert.is(announced.length, 4)
})

// On SQLite nobody is beside a transaction that writes.
if (testsPostgres) {
  testSweep(
    'B2: beside another that holds the next due sellers, a batch is of those who come after them',
    async (swept) => {
      const { clock, metering, announced, elapse, reader } = swept
      const sellers = (await live(swept, 6, 10)).map(({ id }) => id)
      await elapse(30 * MINUTE_MS)
      await reader.db.transaction().execute(async (tx) => {
        await lockAccounts(tx, sellers.slice(0, 3))
        const pass = await metering.settleDue(PASS_BEGIN, 2, { others: 'leave', except: new Set() })
        assert.equal(
          pass.outcomes.map(({ sellerId }) => sellerId),
          sellers.slice(3, 5),
        )
        await sweepOnce(metering, clock, { others: 'leave' })
        assert.equal(announced.map(({ sellerId }) => sellerId).sort(), sellers.slice(3))
      })
      await sweepOnce(metering, clock, { others: 'leave' })
      assert.equal(await billed(swept), { '2': 6 })
    },
  )
}

test.run()
