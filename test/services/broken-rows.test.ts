import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS } from '../../server/domain/instant.js'
import type { Policy } from '../../server/domain/policy.js'
import { createLog } from '../../server/log.js'
import { createHeartbeats } from '../../server/services/heartbeats.js'
import type { Metering, Unsettled } from '../../server/services/metering.js'
import { startSweep, sweepOnce } from '../../server/services/sweep.js'
import { serverTimekeeper } from '../../server/services/timekeeper.js'
import { faultsOfBooks } from '../support/books.js'
import { SILENT_LOG, testsPostgres } from '../support/fresh-database.js'
import { editByHand, editPostgresByHand, WITHOUT_STRICT } from '../support/hand-edit.js'
import { goLive, type LiveSeller } from '../support/many-sellers.js'
import { recordHeartbeat } from '../support/record-heartbeat.js'
import { until } from '../support/sockets.js'
import { type SweptDatabase, sweptDatabase } from '../support/swept-database.js'

// A seller whose rows somebody edited by hand, so that the schema refuses what is due, among many who are well.

const policy: Policy = {
  intervalMs: 30 * MINUTE_MS,
  warningMs: 400 * MINUTE_MS,
  autoEndMs: 500 * MINUTE_MS,
  lowCreditThreshold: 2,
  refundGraceMs: 0,
}
const HEALTHY = 300

interface Scene extends SweptDatabase {
  readonly broken: LiveSeller
  readonly healthy: readonly LiveSeller[]
  edit(statements: string): Promise<void>
}

/** All of them live since the same instant, and due at the same. */
function testBroken(title: string, run: (scene: Scene) => Promise<void>, of = policy): void {
  test(title, async () => {
    const swept = await sweptDatabase()
    const { database, clock } = swept
    const edit = async (statements: string): Promise<void> => {
      if (!testsPostgres) editByHand(database.file, statements)
      else await database.db.transaction().execute((tx) => editPostgresByHand(tx, statements))
    }
    const sellers = await goLive(database, { count: HEALTHY + 1, credits: 10, at: clock.now(), policy: of })
    const broken = sellers[100] as LiveSeller
    const healthy = sellers.filter((one) => one !== broken)
    try {
      await run({ ...swept, broken, healthy, edit })
      assert.equal(await faultsOfBooks(database), [])
    } finally {
      await database.close()
    }
  })
}

/** An interval that somebody deducted by hand, and forgot the rest: the program's own deduction is a second one (B5). */
const deductByHand = ({ edit, broken, clock }: Scene, interval: number): Promise<void> =>
  edit(`insert into ledger_entries (seller_id, kind, amount, balance_after, livestream_id, run_id, interval_index,
      occurred_at, created_at)
    values ('${broken.id}', 'deduction', -1, 8, '${broken.livestreamId}', ${broken.runId}, ${interval},
      ${clock.now()}, ${clock.now()})`)

const mend = ({ edit, broken }: Scene, interval: number): Promise<void> =>
  edit(`delete from ledger_entries where run_id = ${broken.runId} and interval_index = ${interval}`)

/** How many deductions each of these sellers has, as one text for each number and how many have it. */
async function deductions({ database }: Scene, sellers: readonly LiveSeller[]): Promise<Record<string, number>> {
  const rows = await database.db
    .selectFrom('ledger_entries')
    .select(['seller_id', 'interval_index'])
    .where('kind', '=', 'deduction')
    .orderBy('id')
    .execute()
  const of = new Map<string, string>(sellers.map(({ id }) => [id, '']))
  for (const { seller_id, interval_index } of rows) {
    const before = of.get(seller_id)
    if (before !== undefined) of.set(seller_id, `${before}${interval_index} `)
  }
  const counts: Record<string, number> = {}
  for (const text of of.values()) counts[text.trim()] = (counts[text.trim()] ?? 0) + 1
  return counts
}

testBroken('B5: one pass charges all others once, in whatever batch, and tells who is left and why', async (scene) => {
  const { clock, metering, announced, broken, healthy, elapse } = scene
  await elapse(30 * MINUTE_MS)
  await deductByHand(scene, 1)
  const told: Unsettled[] = []
  const heard: string[] = []
  await sweepOnce(metering, clock, {
    onOutcome: ({ sellerId }) => heard.push(sellerId),
    onUnsettled: (unsettled) => told.push(...unsettled),
  })
  assert.equal(await deductions(scene, healthy), { '0 1': HEALTHY })
  assert.equal([heard.length, new Set(heard).size, announced.length], [HEALTHY, HEALTHY, HEALTHY])
  assert.equal(
    told.map(({ sellerId }) => sellerId),
    [broken.id],
  )
  assert.match(
    String(told[0]?.why),
    /UNIQUE constraint failed: ledger_entries.run_id, ledger_entries.interval_index|ledger_one_deduction/,
  )
  let thrown: unknown
  await sweepOnce(metering, clock).catch((error: unknown) => {
    thrown = error
  })
  assert.match(String(thrown), broken.id, 'who hears of nobody is told by an error')
  await mend(scene, 1)
  await sweepOnce(metering, clock)
  assert.equal(await deductions(scene, [broken, ...healthy]), { '0 1': HEALTHY + 1 })
  assert.is(announced.length, HEALTHY + 1)
})

testBroken('B2: the sweep goes on beside a broken seller, tells of it once, and does not spin', async (scene) => {
  const { clock, metering, broken, healthy, elapse } = scene
  const lines: { level: string; seller?: string; err?: { message: string } }[] = []
  const log = createLog({ level: 'info', pretty: false }, { write: (line) => lines.push(JSON.parse(line)) })
  await elapse(30 * MINUTE_MS)
  await deductByHand(scene, 1)
  let batches = 0
  const counted: Metering = {
    ...metering,
    settleDue(...args) {
      batches += 1
      return metering.settleDue(...args)
    },
  }
  const sweep = startSweep(counted, clock, 60 * MINUTE_MS, log)
  const charged = async (intervals: string) => (await deductions(scene, healthy))[intervals] === HEALTHY
  try {
    await until(() => charged('0 1'), 'the healthy ones, beside the broken one', 20_000)
    await until(() => lines.length > 0, 'a line of the log', 20_000)
    const before = batches
    await sleep(1_500)
    assert.ok(batches - before < 10, `${batches - before} batches in 1.5 s, with nobody who can be settled`)
    for (const interval of [2, 3]) {
      await elapse(30 * MINUTE_MS)
      sweep.expect(clock.now())
      await until(() => charged([0, 1, 2, 3].slice(0, interval + 1).join(' ')), `interval ${interval}`, 20_000)
    }
    const about = lines.filter(({ seller }) => seller === broken.id)
    assert.equal(
      about.map(({ level }) => level),
      ['error'],
      'told once',
    )
    assert.match(about[0]?.err?.message ?? '', /UNIQUE constraint failed|ledger_one_deduction/)
    await mend(scene, 1)
    const isMended = async () => (await deductions(scene, [broken]))['0 1 2 3'] === 1
    await until(isMended, 'the mended one', 60_000)
    await until(() => lines.at(-1)?.level === 'info', 'its line of the log')
  } finally {
    await sweep.stop()
  }
  assert.equal(await deductions(scene, [broken, ...healthy]), { '0 1 2 3': HEALTHY + 1 })
})

testBroken('A6: of a batch of heartbeats only that of the broken seller is refused', async (scene) => {
  const { database, metering, clock, broken, healthy, elapse, edit } = scene
  await elapse(MINUTE_MS)
  const timekeeper = serverTimekeeper(clock, 'server')
  const parts = { metering, clock, timekeeper, log: SILENT_LOG, onRecorded: () => undefined }
  const heartbeats = createHeartbeats(parts)
  // The silence began after now, so that what is written next is refused (A2).
  await edit(`update runs set silent_since = last_activity_at - 1, last_activity_at = ${clock.now() + MINUTE_MS}
    where id = ${broken.runId}`)
  const of = ({ id: sub, livestreamId }: LiveSeller) =>
    recordHeartbeat(heartbeats, livestreamId, { sub, role: 'seller', expiresAt: Number.MAX_SAFE_INTEGER })
  const answers = await Promise.allSettled([broken, ...healthy].map(of))
  const refused = answers.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))
  assert.is(refused.join(), '0')
  const rows = await database.db.selectFrom('runs').select('id').where('last_activity_at', '=', clock.now()).execute()
  assert.is(rows.length, HEALTHY)
  const at = clock.now() - MINUTE_MS
  await edit(`update runs set silent_since = ${at}, last_activity_at = ${at} where id = ${broken.runId}`)
})

testBroken('A5: what is refused about no seller fails the pass, and is told of no seller', async (scene) => {
  const { database, clock, metering, healthy, elapse } = scene
  const change = (statement: string) => sql.raw(statement).execute(database.db)
  await elapse(30 * MINUTE_MS)
  // A gap between the stamps, which cannot be closed.
  clock.advance(20 * MINUTE_MS)
  await change(
    testsPostgres
      ? 'alter table outages add constraint broken check (false) not valid'
      : "create trigger broken before insert on outages begin select raise(abort, 'broken'); end",
  )
  const failure = await sweepOnce(metering, clock).catch((error: unknown) => error)
  assert.match(String(failure), 'broken')
  assert.not.match(String(failure), 'cannot be settled')
  assert.equal(await deductions(scene, healthy), { '0': HEALTHY })
  await change(testsPostgres ? 'alter table outages drop constraint broken' : 'drop trigger broken')
})

/** What the schema refuses to write again, and how it is put right; SQLite looks only at the types of what is not written. */
const [BREAK, MEND] = testsPostgres
  ? ['update runs set silent_since = silent_since - 1', 'update runs set silent_since = silent_since + 1']
  : ["update runs set credits_consumed = 'one'", 'update runs set credits_consumed = 1']
const STRICT_AGAIN = `pragma writable_schema = on;
  update sqlite_master set sql = sql || ' strict' where name = 'runs';
  pragma writable_schema = reset;`

testBroken(
  'A5: an outage is closed, and clears the warnings, beside a warned run whose row is refused',
  async (scene) => {
    const { database, clock, metering, announced, broken, healthy, elapse, edit } = scene
    await elapse(11 * MINUTE_MS)
    await sweepOnce(metering, clock)
    assert.is(announced.length, HEALTHY + 1)
    const change = (statement: string) =>
      edit(testsPostgres ? statement : `${WITHOUT_STRICT} ${statement}; ${STRICT_AGAIN}`)
    await change(`${BREAK} where id = ${broken.runId}`)
    clock.advance(10 * MINUTE_MS)
    await serverTimekeeper(clock, 'server').stamp(database.db)
    const dueNow = database.db.selectFrom('runs').select('id').where('due_at', '=', clock.now()).orderBy('id')
    assert.equal(
      (await dueNow.execute()).map(({ id }) => id),
      healthy.map(({ runId }) => runId),
    )
    announced.length = 0
    await sweepOnce(metering, clock)
    assert.equal(
      announced.map(({ sellerId, events }) => `${sellerId} ${events.map(({ kind }) => kind)}`).sort(),
      healthy.map(({ id }) => `${id} inactivity_cleared`).sort(),
    )
    // Once it is put right it is settled when it would have been due, and the same has happened to it as to the others.
    await change(`${MEND} where id = ${broken.runId}`)
    await elapse(9 * MINUTE_MS)
    await sweepOnce(metering, clock)
    const events = await database.db
      .selectFrom('events')
      .select(['seller_id', 'kind', 'occurred_at'])
      .orderBy('occurred_at')
      .orderBy('seq')
      .execute()
    const of = new Map<string, string>()
    for (const { seller_id, kind, occurred_at } of events) {
      of.set(seller_id, `${of.get(seller_id) ?? ''} ${kind} ${occurred_at}`)
    }
    assert.equal([of.size, new Set(of.values()).size], [HEALTHY + 1, 1])
    assert.match(of.get(broken.id) ?? '', /inactivity_warning \d+ inactivity_cleared \d+ credit_update \d+$/)
    assert.equal(await deductions(scene, [broken, ...healthy]), { '0 1': HEALTHY + 1 })
  },
  { ...policy, warningMs: 10 * MINUTE_MS, autoEndMs: 29 * MINUTE_MS },
)

test.run()
