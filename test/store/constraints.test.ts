import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { freshDatabase } from '../support/fresh-database.js'
import { meteredWorld } from '../support/metered-world.js'

// What the schema holds by itself, whatever the program does. Each statement breaks one rule and must fail for that rule.

const HOUR_MS = 3_600_000
const policy = { intervalMs: HOUR_MS, warningMs: 600_000, autoEndMs: 900_000, lowCreditThreshold: 2, refundGraceMs: 0 }
const database = await freshDatabase()
const world = await meteredWorld(database, policy)
await world.create('ann', 'ended')
await world.create('ann', 'live')
await world.move('ann', 10)
await world.start('ann', 'ended')
await world.end('ann', 'ended')
await world.start('ann', 'live')
test.after(() => database.close())

const entry = (values: string) => `
  insert into ledger_entries (seller_id, kind, amount, balance_after, livestream_id, run_id, interval_index,
    idempotency_key, corrects, occurred_at, created_at) values ('ann', ${values}, 0, 0)`
const liveRun = `select 'live', seller_id, started_at, interval_ms, warning_ms, auto_end_ms, low_credit_threshold,
  refund_grace_ms, billed_intervals, last_activity_at, silent_since, due_at from runs where ended_at is null`

const breaches = [
  [
    'B3',
    'a balance below 0',
    entry(`'adjustment', -9, -1, null, null, null, 'k', null`),
    /balance_after >= 0|balance_after_check/,
  ],
  [
    'B5',
    'an interval twice',
    entry(`'deduction', -1, 7, 'live', 2, 0, null, null`),
    /UNIQUE.*interval_index|ledger_one_deduction/,
  ],
  ['B1', 'two credits for an interval', entry(`'deduction', -2, 6, 'live', 2, 1, null, null`), /CHECK|violates check/],
  ['B7', 'an entry that skips the balance', entry(`'grant', 1, 99, null, null, null, 'k', null`), /^B7/],
  ['B7', 'the balance by hand', `update credit_accounts set balance = balance + 1`, /^B7/],
  ['B7', 'an entry rewritten', `update ledger_entries set amount = 5 where kind = 'grant'`, /^B7/],
  ['B7', 'an account that does not start empty', `insert into credit_accounts values ('eve', 5, 0, 0)`, /^B7/],
  [
    'B8',
    'a key twice',
    entry(`'grant', 1, 9, null, null, null, 'client:key 1', null`),
    /UNIQUE.*idempotency_key|ledger_idempotency/,
  ],
  ['B10', 'a refund of nothing', entry(`'refund', 1, 9, 'live', 2, 0, 'k', null`), /CHECK|violates check/],
  ['B10', 'a refund of more than it was', entry(`'refund', 2, 10, 'live', 2, 0, 'k', 2`), /CHECK|violates check/],
  [
    'E2',
    'a second live run',
    `insert into runs (livestream_id, seller_id, started_at, interval_ms, warning_ms, auto_end_ms,
      low_credit_threshold, refund_grace_ms, billed_intervals, last_activity_at, silent_since, due_at) ${liveRun}`,
    /UNIQUE.*livestream_id|runs_one_live/,
  ],
  [
    'E4',
    'an ended run that goes on',
    `update runs set ended_at = null, end_reason = null, due_at = 9 where id = 1`,
    /^E4/,
  ],
  ['E4', 'activity after the end', `update runs set silent_since = silent_since + 1 where id = 1`, /^E4/],
  ['E5', 'an account deleted', `delete from credit_accounts`, /^E5/],
  ['E5', 'a livestream deleted', `delete from livestreams`, /^E5/],
  ['E5', 'a run deleted', `delete from runs`, /^E5/],
  ['E5', 'an entry deleted', `delete from ledger_entries`, /^E5/],
  ['A5', 'an outage deleted', `insert into outages values (1, 9999); delete from outages`, /^E5/],
  ['A5', 'an outage of 3 s', `insert into outages values (1, 3001)`, /CHECK|violates check/],
  ['V2', 'a gap in the events', `insert into events values ('ann', 999, 'credit_update', 0, '{}')`, /^V2/],
  ['V2', 'an event twice', `insert into events values ('ann', 1, 'credit_update', 0, '{}')`, /^V2|events_pkey/],
  ['V1', 'an event rewritten', `update events set payload = '{}'`, /^B7/],
] as const

for (const [rule, what, statements, expected] of breaches) {
  test(`${rule}: the database refuses ${what}`, async () => {
    const before = await facts()
    let message = 'nothing was refused'
    try {
      await database.db.transaction().execute(async (tx) => {
        for (const statement of statements.split(';')) await sql.raw(statement).execute(tx)
      })
    } catch (error) {
      message = String((error as Error).message)
    }
    assert.match(message, expected)
    assert.equal(await facts(), before)
  })
}

function facts(): Promise<unknown[]> {
  const tables = ['credit_accounts', 'livestreams', 'runs', 'ledger_entries', 'events', 'outages'] as const
  return Promise.all(tables.map((table) => database.db.selectFrom(table).selectAll().execute()))
}

test.run()
