import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { HeartbeatAnswer } from '../../client-sdk/protocol/index.js'
import { end } from '../../server/domain/acts.js'
import type { Refusal } from '../../server/domain/errors.js'
import { MINUTE_MS } from '../../server/domain/instant.js'
import type { Policy } from '../../server/domain/policy.js'
import { createHeartbeats, type Heartbeats } from '../../server/services/heartbeats.js'
import { createMetering, type Metering } from '../../server/services/metering.js'
import { sweepOnce } from '../../server/services/sweep.js'
import { serverTimekeeper } from '../../server/services/timekeeper.js'
import type { Db } from '../../server/store/database.js'
import { openKept } from '../../server/store/kept-sqlite.js'
import { insertStamp } from '../../server/store/stamps.js'
import type { Identity } from '../../server/tokens.js'
import { faultsOfBooks } from '../support/books.js'
import { freshDatabase, SILENT_LOG, testsPostgres } from '../support/fresh-database.js'
import { handClock } from '../support/hand-clock.js'
import { goLive, type LiveSeller } from '../support/many-sellers.js'
import { recordHeartbeat } from '../support/record-heartbeat.js'

// The group commit on a real database, with nothing beside it that writes.

const database = await freshDatabase()
const reader = database.another()
const clock = handClock()
const timekeeper = serverTimekeeper(clock, 'server')
const policy: Policy = {
  intervalMs: 30 * MINUTE_MS,
  warningMs: 10 * MINUTE_MS,
  autoEndMs: 15 * MINUTE_MS,
  lowCreditThreshold: 2,
  refundGraceMs: 0,
}
let transactions = 0
const metering: Metering = createMetering({ db: counted(database.db), clock, timekeeper, announce: () => undefined })
const heartbeats: Heartbeats = createHeartbeats({
  metering,
  clock,
  timekeeper,
  log: SILENT_LOG,
  onRecorded: () => undefined,
})
await timekeeper.stamp(database.db)
test.after(database.close)

/** The database itself, with its transactions counted. */
function counted(db: Db): Db {
  return new Proxy(db, {
    get(target, name) {
      // A batch on SQLite has the connection to itself, for one transaction.
      if (name === 'transaction' || name === 'connection') transactions += 1
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

const seller = (id: string): Identity => ({ sub: id, role: 'seller', expiresAt: Number.MAX_SAFE_INTEGER })
const beat = ({ id, livestreamId }: LiveSeller): Promise<HeartbeatAnswer> =>
  recordHeartbeat(heartbeats, livestreamId, seller(id))
const live = (count: number, credits = 10): Promise<LiveSeller[]> =>
  goLive(database, { count, credits, at: clock.now(), policy })
const now = (): string => new Date(clock.now()).toISOString()

/** Lets time pass with a server that stamps. */
async function elapse(ms: number): Promise<void> {
  clock.advance(ms)
  await reader.db.transaction().execute((tx) => insertStamp(tx, clock.now(), 'another-server'))
}

async function one(): Promise<LiveSeller> {
  const [made] = await live(1)
  if (!made) throw new Error('nobody is live')
  return made
}

function runOf({ runId }: LiveSeller) {
  return reader.db.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirstOrThrow()
}

async function kindsOf({ id }: LiveSeller): Promise<string[]> {
  const rows = await reader.db.selectFrom('events').select('kind').where('seller_id', '=', id).orderBy('seq').execute()
  return rows.map(({ kind }) => kind)
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'recorded',
    ({ code }: Refusal) => code,
  )

for (const size of [300, 1_200]) {
  test(`A6, A7: ${size} heartbeats in one turn are a few transactions, each on disk when it is answered`, async () => {
    const sellers = await live(size)
    await elapse(MINUTE_MS)
    transactions = 0
    const answers = await Promise.all(
      sellers.map(async (of) => {
        const answer = await beat(of)
        const { last_activity_at, silent_since } = await runOf(of)
        assert.equal([last_activity_at, silent_since], [clock.now(), clock.now()])
        return answer
      }),
    )
    assert.is(transactions, Math.ceil(size / 1_000))
    for (const answer of answers) {
      assert.equal(answer, {
        message: 'Heartbeat recorded successfully',
        last_activity: now(),
        remaining_credits: 9,
        credits_consumed: 1,
      })
    }
  })
}

test('one who cannot be answered keeps nobody else from an answer, in this batch and after it', async () => {
  const [ann, bob] = (await live(2)) as [LiveSeller, LiveSeller]
  await elapse(MINUTE_MS)
  const broken = (): never => {
    throw new Error('the connection is gone')
  }
  heartbeats.take(ann.livestreamId, seller(ann.id), { resolve: broken, reject: broken })
  const answers = await Promise.all([beat(ann), beat(bob)])
  assert.equal(
    answers.map(({ last_activity }) => last_activity),
    [now(), now()],
  )
  assert.is((await beat(bob)).last_activity, now())
  await heartbeats.drained()
})

test('A7: what arrives while a batch is written is the next batch', async () => {
  const sellers = await live(200)
  await elapse(MINUTE_MS)
  transactions = 0
  const answers: Promise<HeartbeatAnswer>[] = []
  for (const of of sellers) {
    answers.push(beat(of))
    await new Promise((turn) => setImmediate(turn))
  }
  assert.is((await Promise.all(answers)).length, 200)
  assert.ok(transactions <= 200, `${transactions}`)
  for (const of of sellers) assert.is((await runOf(of)).last_activity_at, clock.now())
})

test('A7: one livestream five times in a turn is answered five times', async () => {
  const ann = await one()
  await elapse(MINUTE_MS)
  transactions = 0
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => beat(ann)))
  assert.is(transactions, 1)
  for (const answer of answers) assert.equal(answer, answers[0])
  assert.is((await runOf(ann)).last_activity_at, clock.now())
})

test('A7: in one batch each is treated as it is: unwarned, warned, due, ended, of another, unknown', async () => {
  const warned = await one()
  await elapse(6 * MINUTE_MS)
  const silent = await one()
  await elapse(4 * MINUTE_MS)
  await sweepOnce(metering, clock)
  assert.is((await runOf(warned)).warned_at, clock.now())
  const [fresh, ended] = (await live(2)) as [LiveSeller, LiveSeller]
  await metering.withSeller(ended.id, (_tx, tally) => end(tally, ended.runId, 'seller'))
  // Warned, but not by a sweep yet: due.
  await elapse(4 * MINUTE_MS + 999)
  assert.is((await runOf(silent)).warned_at, null)
  const before = { fresh: await runOf(fresh), ended: await runOf(ended) }
  transactions = 0

  const others: Identity = seller(warned.id)
  const codes = await Promise.all([
    codeOf(beat(fresh)),
    codeOf(beat(warned)),
    codeOf(beat(silent)),
    codeOf(beat(ended)),
    codeOf(recordHeartbeat(heartbeats, fresh.livestreamId, others)),
    codeOf(recordHeartbeat(heartbeats, fresh.livestreamId, { ...seller(fresh.id), role: 'service' })),
    codeOf(recordHeartbeat(heartbeats, fresh.livestreamId, { ...seller(fresh.id), role: 'operator' })),
    codeOf(recordHeartbeat(heartbeats, 'nowhere', others)),
    codeOf(beat(fresh)),
  ])
  assert.equal(codes, [
    ...['recorded', 'recorded', 'recorded', 'livestream_not_live'],
    ...['permission_denied', 'permission_denied', 'permission_denied', 'livestream_not_found', 'recorded'],
  ])
  assert.ok(transactions > 1)
  for (const of of [fresh, warned, silent]) {
    const { last_activity_at, warned_at, ended_at } = await runOf(of)
    assert.equal([last_activity_at, warned_at, ended_at], [clock.now(), null, null])
  }
  assert.equal(await runOf(ended), before.ended)
  assert.equal((await kindsOf(warned)).slice(-2), ['inactivity_warning', 'inactivity_cleared'])
  // What was due at 10 minutes was not true any more when it was written.
  assert.is((await kindsOf(silent)).includes('inactivity_warning'), false)
  // One that is recorded by the batch leaves all else as it was.
  const { last_activity_at, silent_since, ...rest } = await runOf(fresh)
  assert.equal(rest, (({ last_activity_at: _, silent_since: __, ...of }) => of)(before.fresh))
})

test('A7: a heartbeat does not touch due_at; the sweep finds it early and writes the later one', async () => {
  const ann = await one()
  const startedAt = clock.now()
  const { due_at: firstDue } = await runOf(ann)
  assert.is(firstDue, startedAt + 10 * MINUTE_MS)
  await elapse(9 * MINUTE_MS)
  await beat(ann)
  assert.is((await runOf(ann)).due_at, firstDue)
  await elapse(MINUTE_MS)
  await sweepOnce(metering, clock)
  const run = await runOf(ann)
  assert.equal([run.due_at, run.warned_at], [startedAt + 19 * MINUTE_MS, null])
  assert.equal((await kindsOf(ann)).slice(-1), ['credit_update'])
})

const instants = [
  { what: 'before the warning', afterMs: 10 * MINUTE_MS - 1, code: 'recorded', told: [] },
  { what: 'at the warning, which comes first', afterMs: 10 * MINUTE_MS, code: 'recorded', told: [] },
  { what: 'before the deadline', afterMs: 15 * MINUTE_MS - 1, code: 'recorded', told: [] },
  { what: 'at the deadline', afterMs: 15 * MINUTE_MS, code: 'livestream_not_live', told: ['stream_ended'] },
  { what: 'after the deadline', afterMs: 16 * MINUTE_MS, code: 'livestream_not_live', told: ['stream_ended'] },
]
for (const { what, afterMs, code, told } of instants) {
  test(`A7, B4: a heartbeat ${what} that nobody swept: ${code}`, async () => {
    const ann = await one()
    const startedAt = clock.now()
    await elapse(afterMs)
    assert.is(await codeOf(beat(ann)), code)
    const run = await runOf(ann)
    assert.is(run.ended_at, told.length > 0 ? startedAt + 15 * MINUTE_MS : null)
    assert.is(run.last_activity_at, told.length > 0 ? startedAt : clock.now())
    assert.equal((await kindsOf(ann)).slice(3), told)
  })
}

test('B11: a heartbeat at the beginning of an interval sees it deducted', async () => {
  const ann = await one()
  for (let minute = 0; minute < 30; minute += 5) {
    await elapse(5 * MINUTE_MS)
    const { credits_consumed, remaining_credits } = await beat(ann)
    assert.equal([credits_consumed, remaining_credits], minute === 25 ? [2, 8] : [1, 9])
  }
})

test('A2: activity never goes backwards', async () => {
  const ann = await one()
  await elapse(5 * MINUTE_MS)
  const { last_activity } = await beat(ann)
  clock.advance(-3 * MINUTE_MS)
  assert.is((await beat(ann)).last_activity, last_activity)
  assert.is((await runOf(ann)).last_activity_at, clock.now())
  clock.advance(3 * MINUTE_MS)
})

test('A5, A7: the first heartbeat after a gap closes the outage, and finds its run alive', async () => {
  const ann = await one()
  await elapse(2 * MINUTE_MS)
  const [beganAt, startedAt] = [clock.now(), clock.now() - 2 * MINUTE_MS]
  clock.advance(20 * MINUTE_MS)
  assert.is((await beat(ann)).last_activity, now())
  const outages = await reader.db.selectFrom('outages').selectAll().where('began_at', '=', beganAt).execute()
  assert.equal(outages, [{ began_at: beganAt, ended_at: clock.now() }])
  const run = await runOf(ann)
  assert.equal([run.ended_at, run.silent_since, run.started_at], [null, clock.now(), startedAt])
  // The interval of after the outage is not waived: 30 minutes is 8 after its end.
  await elapse(8 * MINUTE_MS)
  assert.is((await beat(ann)).credits_consumed, 2)
})

test('A6: drained resolves when all is answered, also what is settled by itself and has to wait', async () => {
  const [warned] = (await live(1)) as [LiveSeller]
  await elapse(11 * MINUTE_MS)
  const [fresh] = (await live(1)) as [LiveSeller]
  const busy = openKept(database.file)
  let answered = 0
  const count = (): void => {
    answered += 1
  }
  // Between the batch and the one that is settled after it, another process writes for a while.
  const first = beat(fresh).then(() => busy.exec('begin immediate'))
  beat(warned).then(count, count)
  recordHeartbeat(heartbeats, 'nowhere', seller(warned.id)).then(count, count)
  await first
  setTimeout(() => busy.exec('rollback').close(), 100)
  await heartbeats.drained()
  await null
  assert.is(answered, 2)
  await heartbeats.drained()
})

if (!testsPostgres) {
  test('A6: on a full disk heartbeats are refused and not stored; when there is room again, all goes on', async () => {
    const own = await freshDatabase()
    const ownClock = handClock()
    const keeper = serverTimekeeper(ownClock, 'server')
    const parts = { clock: ownClock, timekeeper: keeper }
    const ownMetering = createMetering({ ...parts, db: own.db, announce: () => undefined })
    const beats = createHeartbeats({ ...parts, metering: ownMetering, log: SILENT_LOG, onRecorded: () => undefined })
    const [ann] = (await goLive(own, { count: 1, credits: 5, at: ownClock.now(), policy })) as [LiveSeller]
    await keeper.stamp(own.db)
    const moveClockAndStamp = async (times: number) => {
      for (let i = 0; i < times; i += 1) {
        ownClock.advance(1_000)
        await keeper.stamp(own.db)
      }
    }
    const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(own.db)
    await sql.raw(`pragma max_page_count = ${rows[0]?.page_count}`).execute(own.db)
    const full: unknown = await moveClockAndStamp(2_000).catch((error: unknown) => error)
    assert.is((full as Refusal).code, 'temporarily_unavailable')
    // Now a settling heartbeat, which has to stamp and to write, cannot be stored.
    ownClock.advance(11 * MINUTE_MS)
    const before = await own.db.selectFrom('runs').selectAll().execute()
    const refused: unknown = await recordHeartbeat(beats, ann.livestreamId, seller(ann.id)).catch(
      (error: unknown) => error,
    )
    assert.is((refused as Refusal).code, 'temporarily_unavailable')
    assert.equal(await own.db.selectFrom('runs').selectAll().execute(), before)
    await sql.raw('pragma max_page_count = 1000000').execute(own.db)
    const { last_activity } = await recordHeartbeat(beats, ann.livestreamId, seller(ann.id))
    assert.is(Date.parse(last_activity), ownClock.now())
    const run = await own.db.selectFrom('runs').selectAll().executeTakeFirstOrThrow()
    assert.is(run.ended_at, null, 'and the time without a stamp was an outage')
    await own.close()
  })
}

test('B7, V1, V2: after all of that the books are right', async () => {
  assert.equal(await faultsOfBooks(reader), [])
})

test.run()
