import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { end } from '../../server/domain/acts.js'
import { MINUTE_MS } from '../../server/domain/instant.js'
import { createMetering } from '../../server/services/metering.js'
import { serverTimekeeper } from '../../server/services/timekeeper.js'
import type { Db } from '../../server/store/database.js'
import { databaseFacts } from '../support/database-facts.js'
import { freshDatabase, testsPostgres } from '../support/fresh-database.js'
import { handClock } from '../support/hand-clock.js'
import { goLive, type LiveSeller } from '../support/many-sellers.js'

// What the schema holds by itself, whoever writes: each statement is one that a faulty program, or a hand, could send.

const policy = {
  intervalMs: 30 * MINUTE_MS,
  warningMs: 10 * MINUTE_MS,
  autoEndMs: 15 * MINUTE_MS,
  lowCreditThreshold: 2,
  refundGraceMs: 0,
}
const database = await freshDatabase()
const clock = handClock()
const [live, ended] = (await goLive(database, { count: 2, credits: 10, at: clock.now(), policy })) as [
  LiveSeller,
  LiveSeller,
]
const timekeeper = serverTimekeeper(clock, 'server')
const metering = createMetering({ db: database.db, clock, timekeeper, announce: () => undefined })
await metering.withSeller(ended.id, (_tx, tally) => end(tally, ended.runId, 'seller'))
clock.advance(3_001)
await metering.withSeller(live.id, () => null)

test.after(() => database.close())

const { id: deductionOfLive } = await database.db
  .selectFrom('ledger_entries')
  .select('id')
  .where('kind', '=', 'deduction')
  .where('run_id', '=', live.runId)
  .executeTakeFirstOrThrow()

/** A row that fits, but for what is said. */
function entry(fields: Record<string, number | string | null>): string {
  return insert('ledger_entries', {
    ...{ seller_id: live.id, kind: 'grant', amount: 1, balance_after: 10, idempotency_key: 'client:x' },
    ...{ occurred_at: 0, created_at: 0, ...fields },
  })
}
const deduction = (fields: Record<string, number | string | null>): string =>
  entry({ kind: 'deduction', amount: -1, balance_after: 8, run_id: live.runId, interval_index: 1, ...fields })
const refund = (fields: Record<string, number | string | null>): string =>
  entry({ kind: 'refund', corrects: deductionOfLive, run_id: live.runId, interval_index: 0, ...fields })

function run(fields: Record<string, number | string | null>): string {
  return insert('runs', {
    ...{ livestream_id: ended.livestreamId, seller_id: ended.id, started_at: 9, interval_ms: 3, warning_ms: 1 },
    ...{ auto_end_ms: 2, low_credit_threshold: 2, refund_grace_ms: 0, billed_intervals: 0 },
    ...{ last_activity_at: 9, silent_since: 9, due_at: 9, ...fields },
  })
}

function event(fields: Record<string, number | string | null>): string {
  return insert('events', {
    seller_id: live.id,
    seq: 4,
    kind: 'credit_update',
    occurred_at: 0,
    payload: '{}',
    ...fields,
  })
}

function insert(table: string, fields: Record<string, number | string | null>): string {
  const values = Object.values(fields).map((value) => (typeof value === 'string' ? `'${value}'` : String(value)))
  return `insert into ${table} (${Object.keys(fields)}) values (${values})`
}

const ofLive = `where id = ${live.runId}`
const ofEnded = `where id = ${ended.runId}`
const account = `where seller_id = '${live.id}'`

/** Runs statements in a transaction. */
async function carryOut(db: Db, statements: string): Promise<void> {
  for (const statement of statements.split('; ')) await sql.raw(statement).execute(db)
}

/** What an error says on PostgreSQL, which names a constraint where SQLite says it. */
function saidOnPostgres(error: string): RegExp {
  if (error.includes('UNIQUE')) return /duplicate key/
  if (error.includes('FOREIGN KEY')) return /violates foreign key/
  if (error.startsWith('V2')) return /V2: an event follows the last one|events_pkey/
  return /^error: [BEV]\d/.test(`error: ${error}`) || error.includes('a correction')
    ? new RegExp(error)
    : /violates check/
}

/** `sqliteOnly`: where PostgreSQL, whose columns take whole numbers only, rounds or does not understand. */
const refused: { rule: string; what: string; statement: string; error: string; sqliteOnly?: boolean }[] = [
  {
    rule: 'B3',
    what: 'a negative balance',
    statement: entry({ kind: 'adjustment', amount: -10, balance_after: -1 }),
    error: 'balance_after >= 0',
  },
  {
    rule: 'B7',
    what: 'a balance set by hand',
    statement: `update credit_accounts set balance = 10 ${account}`,
    error: 'B7: the balance moves by ledger entries only',
  },
  {
    rule: 'B7',
    what: 'an account that begins with credits',
    statement: "insert into credit_accounts (seller_id, balance, created_at) values ('new', 5, 0)",
    error: 'B7: an account starts empty',
  },
  {
    rule: 'V2',
    what: 'an account that begins with events',
    statement: "insert into credit_accounts (seller_id, last_seq, created_at) values ('new', 5, 0)",
    error: 'B7: an account starts empty',
  },
  {
    rule: 'B7',
    what: 'an entry from another balance',
    statement: entry({ balance_after: 12 }),
    error: 'B7: an entry starts from the balance',
  },
  {
    rule: 'B7',
    what: 'a changed entry',
    statement: 'update ledger_entries set amount = 5 where id = 1',
    error: 'B7: a correction is a new entry',
  },
  {
    rule: 'B7',
    what: 'a changed note of an entry',
    statement: "update ledger_entries set reason = 'x' where id = 1",
    error: 'B7: a correction is a new entry',
  },
  {
    rule: 'B7',
    what: 'a deleted entry',
    statement: 'delete from ledger_entries where id = 1',
    error: 'E5: nothing is deleted',
  },
  { rule: 'B7', what: 'an entry of nobody', statement: entry({ seller_id: 'nobody' }), error: 'FOREIGN KEY' },
  {
    rule: 'B7',
    what: 'an entry of no kind',
    statement: entry({ kind: 'gift' }),
    error: 'CHECK constraint failed: kind in',
  },
  {
    rule: 'B7',
    what: 'an entry of nothing',
    statement: entry({ amount: 0, balance_after: 9 }),
    error: 'CHECK constraint failed: amount <> 0',
  },
  {
    rule: 'B7',
    what: 'a grant that takes',
    statement: entry({ amount: -1, balance_after: 8 }),
    error: "kind <> 'grant' or amount > 0",
  },
  {
    rule: 'B1',
    what: 'half a credit',
    statement: entry({ amount: 0.5, balance_after: 9.5 }),
    error: 'cannot store REAL value',
    sqliteOnly: true,
  },
  {
    rule: 'B1',
    what: 'a credit that is a text',
    statement: entry({ amount: 'x' }),
    error: 'cannot store TEXT value',
    sqliteOnly: true,
  },
  {
    rule: 'B1',
    what: 'a deduction of two',
    statement: deduction({ amount: -2, balance_after: 7 }),
    error: "kind <> 'deduction' or (amount = -1",
  },
  {
    rule: 'B5',
    what: 'a second deduction of an interval',
    statement: deduction({ interval_index: 0 }),
    error: 'UNIQUE constraint failed: ledger_entries.run_id, ledger_entries.interval_index',
  },
  {
    rule: 'B5',
    what: 'a deduction of no interval',
    statement: deduction({ interval_index: null }),
    error: "kind <> 'deduction' or",
  },
  {
    rule: 'B5',
    what: 'a deduction of no run',
    statement: deduction({ run_id: null }),
    error: "kind <> 'deduction' or",
  },
  {
    rule: 'B5',
    what: 'a deduction of interval -1',
    statement: deduction({ interval_index: -1 }),
    error: 'interval_index >= 0',
  },
  {
    rule: 'B5',
    what: 'a deduction of a run that is not there',
    statement: deduction({ run_id: 999 }),
    error: 'FOREIGN KEY',
  },
  {
    rule: 'B8',
    what: 'a key twice',
    statement: `${entry({})}; ${entry({ balance_after: 11 })}`,
    error: 'UNIQUE constraint failed: ledger_entries.seller_id, ledger_entries.idempotency_key',
  },
  {
    rule: 'B8',
    what: 'a grant without a key',
    statement: entry({ idempotency_key: null }),
    error: "kind in ('deduction', 'refund')",
  },
  {
    rule: 'B8',
    what: 'a refund without a key',
    statement: refund({ idempotency_key: null }),
    error: "kind <> 'refund' or",
  },
  {
    rule: 'B7',
    what: 'a grant of a run',
    statement: entry({ run_id: live.runId }),
    error: "kind in ('deduction', 'refund')",
  },
  { rule: 'B10', what: 'a refund of nothing', statement: refund({ corrects: null }), error: "kind <> 'refund' or" },
  {
    rule: 'B10',
    what: 'a refund of more than it was',
    statement: refund({ amount: 2, balance_after: 11 }),
    error: "kind <> 'refund' or",
  },
  {
    rule: 'B10',
    what: 'a refund twice',
    statement: `${refund({})}; ${refund({ idempotency_key: 'y', balance_after: 11 })}`,
    error: 'UNIQUE constraint failed: ledger_entries.corrects',
  },
  { rule: 'B10', what: 'a refund of what is not there', statement: refund({ corrects: 999 }), error: 'FOREIGN KEY' },
  {
    rule: 'E2',
    what: 'a second live run',
    statement: run({ livestream_id: live.livestreamId, seller_id: live.id }),
    error: 'UNIQUE constraint failed: runs.livestream_id',
  },
  {
    rule: 'E2',
    what: 'an ended run that is live again beside another',
    statement: `${run({})}; ${run({})}`,
    error: 'UNIQUE constraint failed: runs.livestream_id',
  },
  ...['ended_at = null, end_reason = null, due_at = 1', 'ended_at = ended_at + 1', "end_reason = 'operator'"].map(
    (set) => ({
      rule: 'E4',
      what: `an ended run with ${set}`,
      statement: `update runs set ${set} ${ofEnded}`,
      error: 'E4: an ended run is never changed',
    }),
  ),
  ...[
    'billed_intervals = 2',
    'last_activity_at = silent_since + 1, silent_since = silent_since + 1',
    'silent_since = silent_since + 1',
    'warned_at = 5',
    'started_at = started_at - 1',
  ].map((set) => ({
    rule: 'E4',
    what: `an ended run with ${set}`,
    statement: `update runs set ${set} ${ofEnded}`,
    error: 'E4: an ended run is never changed',
  })),
  {
    rule: 'E4',
    what: 'an end without a reason',
    statement: `update runs set ended_at = started_at, due_at = null ${ofLive}`,
    error: 'CHECK constraint failed: (ended_at is null) = (end_reason is null)',
  },
  {
    rule: 'E4',
    what: 'an end for a reason of its own',
    statement: `update runs set ended_at = started_at, due_at = null, end_reason = 'tired' ${ofLive}`,
    error: 'CHECK constraint failed: end_reason in',
  },
  {
    rule: 'E4',
    what: 'an end before the start',
    statement: `update runs set ended_at = started_at - 1, due_at = null, end_reason = 'seller' ${ofLive}`,
    error: 'ended_at >= started_at',
  },
  {
    rule: 'E4',
    what: 'a live run that is never due',
    statement: `update runs set due_at = null ${ofLive}`,
    error: '(ended_at is null) = (due_at is not null)',
  },
  {
    rule: 'E4',
    what: 'an ended run that is due',
    statement: `update runs set due_at = 1 ${ofEnded}`,
    error: '(ended_at is null) = (due_at is not null)',
  },
  {
    rule: 'A2',
    what: 'activity before the start',
    statement: `update runs set last_activity_at = started_at - 1 ${ofLive}`,
    error: 'last_activity_at >= started_at',
  },
  {
    rule: 'A2',
    what: 'a silence that begins before the last activity',
    statement: `update runs set silent_since = last_activity_at - 1 ${ofLive}`,
    error: 'silent_since >= last_activity_at',
  },
  {
    rule: 'A4',
    what: 'an auto-end time that is not longer than the warning time',
    statement: run({ auto_end_ms: 1 }),
    error: 'auto_end_ms > warning_ms',
  },
  {
    rule: 'B2',
    what: 'a deduction of an interval that its run has not come to',
    statement: deduction({ idempotency_key: null }),
    error: 'B2: an interval is deducted once its run has come to it',
  },
  {
    rule: 'B10',
    what: 'a run that has consumed more than was billed',
    statement: `update runs set credits_consumed = 2 ${ofLive}`,
    error: 'runs_credits_consumed_check',
  },
  { rule: 'B2', what: 'an interval of nothing', statement: run({ interval_ms: 0 }), error: 'interval_ms > 0' },
  {
    rule: 'E1',
    what: 'a run of a livestream that is not there',
    statement: run({ livestream_id: 'nowhere' }),
    error: 'FOREIGN KEY',
  },
  ...['credit_accounts', 'livestreams', 'runs', 'ledger_entries', 'outages'].map((table) => ({
    rule: 'E5',
    what: `${table} deleted`,
    statement: `delete from ${table}`,
    error: 'E5: nothing is deleted',
  })),
  { rule: 'V2', what: 'a gap in the events', statement: event({ seq: 5 }), error: 'V2: an event follows the last one' },
  { rule: 'V2', what: 'an event again', statement: event({ seq: 3 }), error: 'V2: an event follows the last one' },
  { rule: 'V2', what: 'an event 0', statement: event({ seq: 0 }), error: 'V2: an event follows the last one' },
  {
    rule: 'V4',
    what: 'an event of no kind',
    statement: event({ kind: 'party' }),
    error: 'CHECK constraint failed: kind in',
  },
  {
    rule: 'V1',
    what: 'a changed event',
    statement: "update events set payload = '{}'",
    error: 'a correction is a new entry',
  },
  { rule: 'V2', what: 'an event of nobody', statement: event({ seller_id: 'nobody' }), error: 'FOREIGN KEY' },
  {
    rule: 'A5',
    what: 'a changed outage',
    statement: 'update outages set ended_at = ended_at + 1',
    error: 'a correction is a new entry',
  },
  {
    rule: 'A5',
    what: 'an outage of 3 s',
    statement: 'insert into outages values (5, 3005)',
    error: 'ended_at > began_at + 3000',
  },
  {
    rule: 'H',
    what: 'a livestream without an id',
    statement: "insert into livestreams values ('', 'x', 'x', 0)",
    error: 'length(id) between 1 and 128',
  },
]
for (const { rule, what, statement, error, sqliteOnly = false } of refused) {
  if (sqliteOnly && testsPostgres) continue
  test(`${rule}: the schema refuses ${what}`, async () => {
    const before = await databaseFacts(database)
    let message = ''
    try {
      await database.db.transaction().execute((tx) => carryOut(tx, statement))
    } catch (thrown) {
      message = String(thrown)
    }
    const isSaid = testsPostgres ? saidOnPostgres(error).test(message) : message.includes(error)
    assert.ok(isSaid, `${statement}: ${message || 'taken'}`)
    assert.equal(await databaseFacts(database), before)
  })
}

const UNDO = new Error('undo')

/** Runs something in a transaction, and undoes it. */
async function andUndo(run: (tx: Db) => Promise<void>): Promise<void> {
  const undone = database.db.transaction().execute(async (tx) => {
    await run(tx)
    throw UNDO
  })
  const error: unknown = await undone.catch((thrown: unknown) => thrown)
  if (error !== UNDO) throw error
}

test('B7, V2: what fits is taken, and moves the balance and the sequence', () =>
  andUndo(async (tx) => {
    for (const statement of [
      `update runs set billed_intervals = 2, credits_consumed = 1 ${ofLive}`,
      entry({}),
      deduction({ balance_after: 9, interval_index: 1, idempotency_key: null }),
      refund({ balance_after: 10, idempotency_key: 'client:y' }),
      event({}),
      event({ seq: 5 }),
      run({}),
      `update runs set credits_consumed = 0 ${ofEnded}`,
    ]) {
      await carryOut(tx, statement)
    }
    const of = async (query: string) => (await sql.raw(query).execute(tx)).rows
    assert.equal(await of(`select balance, last_seq from credit_accounts ${account}`), [{ balance: 10, last_seq: 5 }])
  }))

test('B3, B7, V2: entries and events of one statement follow one another', () =>
  andUndo(async (tx) => {
    const two = (table: string, columns: string, rows: string[]) =>
      sql.raw(`insert into ${table} (${columns}) values ${rows.map((row) => `(${row})`)}`).execute(tx)
    const columns = 'seller_id, kind, amount, balance_after, idempotency_key, occurred_at, created_at'
    const grant = (after: number, key: string) => `'${live.id}', 'grant', 1, ${after}, 'client:${key}', 0, 0`
    await two('ledger_entries', columns, [grant(10, 'a'), grant(11, 'b')])
    const told = (seq: number) => `'${live.id}', ${seq}, 'credit_update', 0, '{}'`
    await two('events', 'seller_id, seq, kind, occurred_at, payload', [told(4), told(5)])
    const { rows } = await sql.raw(`select balance, last_seq from credit_accounts ${account}`).execute(tx)
    assert.equal(rows, [{ balance: 11, last_seq: 5 }])
  }))

for (const [what, after] of [
  ['starts from another balance', 12],
  ['repeats the balance', 10],
] as const) {
  test(`B7: the schema refuses two entries of one statement of which the second ${what}`, async () => {
    const before = await databaseFacts(database)
    const columns = 'seller_id, kind, amount, balance_after, idempotency_key, occurred_at, created_at'
    const grant = (balance: number, key: string) => `('${live.id}', 'grant', 1, ${balance}, 'client:${key}', 0, 0)`
    const statement = `insert into ledger_entries (${columns}) values ${grant(10, 'a')}, ${grant(after, 'b')}`
    const error: unknown = await sql
      .raw(statement)
      .execute(database.db)
      .catch((thrown: unknown) => thrown)
    assert.match(String(error), 'B7: an entry starts from the balance')
    assert.equal(await databaseFacts(database), before)
  })
}

test('B4: the ids of runs go on after those that were rolled back or are the newest', () =>
  andUndo(async (tx) => {
    const { rows } = await sql.raw<{ id: number }>(`${run({})} returning id`).execute(tx)
    assert.ok((rows[0]?.id ?? 0) > ended.runId)
  }))

if (testsPostgres) {
  // Last, since what the first commits stays.
  for (const [rule, what, statement, error] of [
    [
      'B7',
      'entries from one balance',
      (n: number) => entry({ idempotency_key: `client:${n}` }),
      /^B7: an entry starts/,
    ],
    ['V2', 'events of one number', () => event({}), /duplicate key/],
    ['V2', 'events of which the second skips the first', (n: number) => event({ seq: 4 + n }), /^V2: an event follows/],
  ] as const) {
    test(`${rule}: of two transactions with ${what} the schema takes the first, though neither holds the account`, async () => {
      const [first, second] = [
        await database.db.startTransaction().execute(),
        await database.db.startTransaction().execute(),
      ]
      await sql.raw(statement(1)).execute(first)
      const refused = sql
        .raw(statement(2))
        .execute(second)
        .then(
          () => 'taken',
          (thrown: unknown) => (thrown as Error).message,
        )
      await sleep(50)
      await first.commit().execute()
      assert.match(await refused, error)
      await second.rollback().execute()
    })
  }
}

test.run()
