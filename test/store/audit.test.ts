import { copyFileSync } from 'node:fs'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Check, MOST_SHOWN, type Scan, worded } from '../../server/store/audit/check.js'
import { type Audit, auditDatabase, auditWithin, lookedAt } from '../../server/store/audit.js'
import { type Db, openDatabase } from '../../server/store/database.js'
import { freshDatabase, testsPostgres } from '../support/fresh-database.js'
import { editByHand, editPostgresByHand, WITHOUT_STRICT } from '../support/hand-edit.js'
import { HISTORY_BEGAN_AT, liveVariedHistory } from '../support/varied-history.js'

const history = await freshDatabase()
await liveVariedHistory(history)
if (!testsPostgres) await sql`pragma wal_checkpoint(truncate)`.execute(history.db)
test.after(() => history.close())

const LOOKED_AT = lookedAt(history.db)
const CHECKS = LOOKED_AT.flatMap((item): readonly Check[] => ('checks' in item ? item.checks : [item]))
const SCANS = LOOKED_AT.filter((item): item is Scan => 'checks' in item)

/** The checks that found something in any test of this file. */
const tripped = new Set<string>()

/** What the audit says of the history after an edit by hand, of which nothing stays. */
function auditAfter(edit: string): Promise<Audit> {
  return testsPostgres
    ? undone(async (tx) => {
        await editPostgresByHand(tx, edit)
        return auditAndNote(tx)
      })
    : inCopy(async (db, file) => {
        editByHand(file, edit)
        return db.transaction().execute(auditAndNote)
      })
}

async function auditAndNote(tx: Db): Promise<Audit> {
  const audit = await auditWithin(tx)
  const oneByOne: string[] = []
  for (const { promise, find } of CHECKS) {
    const found = await find(tx)
    if (found.length > 0) tripped.add(promise)
    oneByOne.push(...found.map(({ text }) => text))
  }
  // What is looked at together must never hide what a check finds by itself.
  assert.equal(
    audit.breaches.map(({ text }) => text),
    oneByOne,
  )
  return audit
}

async function inCopy<T>(work: (db: Db, file: string) => Promise<T>): Promise<T> {
  const file = `${history.file}.copy`
  copyFileSync(history.file, file)
  const database = openDatabase({ kind: 'sqlite', file })
  try {
    return await work(database.db, file)
  } finally {
    await database.close()
  }
}

async function undone<T>(work: (tx: Db) => Promise<T>): Promise<T> {
  const tx = await history.db.startTransaction().execute()
  try {
    return await work(tx)
  } finally {
    await tx.rollback().execute()
  }
}

const rulesOf = ({ breaches }: Audit) => [...new Set(breaches.map(({ rule }) => rule))].sort()

test('B, E, V: what the program writes is clean, through some of everything', async () => {
  const { checked, breaches } = await auditDatabase(history.db)
  assert.equal(breaches, [])
  assert.equal(Object.keys(checked), ['accounts', 'livestreams', 'runs', 'ledger entries', 'events', 'outages'])
  assert.ok(
    Object.values(checked).every((count) => count > 1),
    `the history is too poor: ${JSON.stringify(checked)}`,
  )
  const { rows } = await sql<{ what: string }>`
    select kind as what from ledger_entries union select kind from events
    union select end_reason from runs where end_reason is not null
    union select 'waived' from runs where credits_consumed + 1 < billed_intervals
    union select 'refunded by the program' from ledger_entries where idempotency_key like 'program:%'`.execute(
    history.db,
  )
  assert.is(rows.length, 4 + 6 + 4 + 2, `the history is too poor: ${rows.map(({ what }) => what)}`)
})

const runsOf = (livestream: string) => `select id from runs where livestream_id = '${livestream}'`
/** Ann ended it herself, with a deduction given back by an operator. */
const ENDED = `(${runsOf('ann-show')} order by id limit 1)`
const EXHAUSTED = `(${runsOf('bob-show')})`
const INACTIVE = `(${runsOf('dan-show')} order by id limit 1)`
const LIVE = `(${runsOf('ann-show')} and ended_at is null)`
const OPERATORS_REFUND = `(select id from ledger_entries where kind = 'refund' and idempotency_key like 'client:%')`
const aboutRun = (run: string) => `('%"run_id":' || ${run} || ',%')`
/** An event that no other table knows of. */
const WARNING_OF_DAN = `seller_id = 'dan' and kind = 'inactivity_warning' and payload like ${aboutRun(INACTIVE)}`

/** Moves an event in time, as whoever moves what it tells of would. */
const moveEvent = (kind: string, run: string, ms: number | string) =>
  `update events set occurred_at = occurred_at + ${ms},
    payload = replace(payload, ${timestamp('occurred_at')}, ${timestamp(`(occurred_at + ${ms})`)})
    where kind = '${kind}' and payload like ${aboutRun(run)};`
const timestamp = (instant: string) =>
  testsPostgres
    ? `to_char(to_timestamp(${instant} / 1000.0) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
    : `strftime('%Y-%m-%dT%H:%M:%fZ', ${instant} / 1000.0, 'unixepoch')`

const moveEnd = (run: string, ms: number | string) =>
  `${moveEvent('stream_ended', run, ms)} update runs set ended_at = ended_at + ${ms} where id = ${run};`

const outage = (fromMs: number, toMs: number) =>
  `insert into outages values (${HISTORY_BEGAN_AT + fromMs}, ${HISTORY_BEGAN_AT + toMs});`

interface Edit {
  readonly rule: string
  readonly what: string
  readonly edit: string
  /** Where the other database cannot hold such a thing. */
  readonly only?: 'sqlite' | 'postgres'
  /** Other rules that the same edit breaks. */
  readonly also?: readonly string[]
  /** What the audit says of it. */
  readonly says: RegExp
}

const edits: Edit[] = [
  {
    rule: 'E1',
    what: 'a run of another seller than its livestream',
    edit: "update livestreams set seller_id = 'bob' where id = 'dan-show'",
    says: /run \d+ is of seller dan, but livestream dan-show is of seller bob/,
  },
  {
    rule: 'E1',
    what: 'an entry for a run of another livestream',
    edit: `update ledger_entries set livestream_id = 'bob-show' where run_id = ${INACTIVE}`,
    also: ['V1'],
    says: /entry \d+ is of livestream bob-show of seller dan, but run \d+ is of livestream dan-show of seller dan/,
  },
  {
    rule: 'E2',
    what: 'two runs of a livestream at once',
    edit: moveEnd(ENDED, 1_000),
    says: /livestream ann-show: run \d+ started at 2026\S+, but run 1 ended at 2026/,
  },
  {
    rule: 'E2',
    what: 'two live runs of a livestream',
    edit: `drop index runs_one_live; delete from events where kind = 'stream_ended' and payload like ${aboutRun(ENDED)};
      update runs set ended_at = null, end_reason = null, due_at = 0 where id = ${ENDED};`,
    also: ['B11', 'V2'],
    says: /livestream ann-show: run \d+ started at 2026\S+, but run 1 is live/,
  },
  {
    rule: 'B4',
    what: 'run ids that are not in the order of starting',
    edit: `update runs set started_at = started_at - 1, last_activity_at = last_activity_at - 1 where livestream_id = 'cat-two'`,
    also: ['A2', 'B2', 'V1'],
    says: /run \d+ started at 2025\S+, before run \d+, which started at 2026/,
  },
  {
    rule: 'B4',
    what: 'a counter that would give a run id away twice',
    edit: testsPostgres
      ? 'alter sequence runs_id_seq restart with 2'
      : "update sqlite_sequence set seq = 1 where name = 'runs'",
    says: /the counter of run ids stands at 1, but there is a run \d+/,
  },
  {
    rule: 'B4',
    what: 'a live run that would be looked at too late',
    edit: `update runs set due_at = due_at + 3600000 where id = ${LIVE}`,
    says: /live run \d+ of seller ann is looked at no sooner than/,
  },
  {
    rule: 'E5',
    what: 'a livestream that was deleted',
    edit: "delete from livestreams where id = 'dan-show'",
    says: /run \d+ names livestream dan-show, which does not exist/,
  },
  {
    rule: 'B1',
    what: 'half a credit',
    only: 'sqlite',
    edit: `${WITHOUT_STRICT} update credit_accounts set balance = balance + 0.5 where seller_id = 'ann'`,
    also: ['B7'],
    says: /the account of seller ann holds \d+\.5, which is no whole number/,
  },
  {
    rule: 'B1',
    what: 'a credit in words',
    only: 'sqlite',
    edit: `${WITHOUT_STRICT} update ledger_entries set balance_after = 'two' where id = 1`,
    also: ['B7', 'V1'],
    says: /entry 1 of seller ann holds 20 with balance two/,
  },
  {
    rule: 'B1',
    what: 'a balance past the largest exact number',
    only: 'postgres',
    edit: "update credit_accounts set balance = 9007199254740993 where seller_id = 'ann'",
    also: ['B7'],
    says: /the account of seller ann holds 9007199254740993, which is no whole number or past the largest exact one/,
  },
  {
    rule: 'B1',
    what: 'an entry past the largest exact number',
    only: 'postgres',
    edit: 'update ledger_entries set balance_after = 9007199254740993 where id = 1',
    also: ['B7', 'V1'],
    says: /whether this holds cannot be seen: the credits of an entry .* holds 9007199254740993, which is past/,
  },
  {
    rule: 'E5',
    what: 'accounts that were deleted',
    edit: "delete from credit_accounts where seller_id = 'gus'",
    says: /the events of seller gus name the account of seller gus, which does not exist/,
  },
  {
    rule: 'B3',
    what: 'an entry that leaves less than nothing',
    edit: 'update ledger_entries set balance_after = -1 where id = 1',
    also: ['B7', 'V1'],
    says: /entry 1 of seller ann has the balance -1/,
  },
  {
    rule: 'B1',
    what: 'an interval for two credits',
    edit: `update ledger_entries set amount = -2 where kind = 'deduction' and run_id = ${INACTIVE}`,
    also: ['B7', 'V1'],
    says: /entry \d+ of seller dan deducts -2 for interval 0 of run \d+, not -1/,
  },
  {
    rule: 'B3',
    what: 'a negative balance',
    edit: "update credit_accounts set balance = -3 where seller_id = 'ann'",
    also: ['B7'],
    says: /the account of seller ann has the balance -3/,
  },
  {
    rule: 'B7',
    what: 'a balance that no entry accounts for',
    edit: "update credit_accounts set balance = balance + 5 where seller_id = 'ann'",
    says: /the account of seller ann holds (\d+), but its entries come to (\d+)/,
  },
  {
    rule: 'B7',
    what: 'an entry that was changed',
    edit: "update ledger_entries set amount = 21 where seller_id = 'ann' and kind = 'grant'",
    also: ['B8', 'V1'],
    says: /entry 1 of seller ann moves 0 by 21 and leaves 20/,
  },
  {
    rule: 'B7',
    what: 'an entry that was deleted',
    edit: "delete from ledger_entries where seller_id = 'ann' and kind = 'adjustment'",
    also: ['V1'],
    says: /entry \d+ of seller ann moves \d+ by 1 and leaves \d+/,
  },
  {
    rule: 'B7',
    what: 'an adjustment that adds',
    edit: "update ledger_entries set kind = 'adjustment' where id = 1",
    also: ['V1'],
    says: /entry 1 of seller ann is a adjustment of 20/,
  },
  {
    rule: 'B7',
    what: 'a refund that corrects a grant',
    edit: `update ledger_entries set corrects = 1 where id = ${OPERATORS_REFUND}`,
    also: ['B10', 'B8'],
    says: /entry \d+ of seller ann, a refund, corrects entry 1, a grant of seller ann/,
  },
  {
    rule: 'B7',
    what: 'a refund that corrects nothing',
    edit: `update ledger_entries set corrects = null where id = ${OPERATORS_REFUND}`,
    also: ['B10', 'B8'],
    says: /entry \d+ of seller ann, a refund, corrects nothing/,
  },
  {
    rule: 'B4',
    what: 'an entry that is dated before the one before it',
    edit: "update ledger_entries set occurred_at = occurred_at - 100000 where kind = 'adjustment'",
    also: ['V1'],
    says: /entry \d+ of seller ann, of \S+, comes after entry \d+, of /,
  },
  {
    rule: 'B4',
    what: 'two runs that paid in the wrong order at one instant',
    edit: `drop index ledger_one_deduction;
      update ledger_entries set run_id = case livestream_id when 'cat-one' then (${runsOf('cat-two')}) else (${runsOf('cat-one')}) end,
        livestream_id = case livestream_id when 'cat-one' then 'cat-two' else 'cat-one' end
        where kind = 'deduction' and interval_index = 1 and livestream_id like 'cat-%';
      create unique index ledger_one_deduction on ledger_entries (run_id, interval_index) where kind = 'deduction';`,
    also: ['V1'],
    says: /entry \d+ of seller cat, of \S+, comes after entry \d+/,
  },
  {
    rule: 'B2',
    what: 'an entry that was written before it took effect',
    edit: `update ledger_entries set created_at = occurred_at - 1 where run_id = ${INACTIVE}`,
    says: /entry \d+ of seller dan, a deduction of \S+, was written at \S+ already/,
  },
  {
    rule: 'B8',
    what: 'a grant without a key',
    edit: 'update ledger_entries set idempotency_key = null where id = 1',
    says: /entry 1 of seller ann, a grant, has no key/,
  },
  {
    rule: 'B8',
    what: 'a key that made two entries',
    edit: `drop index ledger_idempotency;
      update ledger_entries set idempotency_key = 'client:key 1' where kind = 'adjustment';`,
    says: /seller ann: the key client:key 1 made entries 1,\d+/,
  },
  {
    rule: 'B8',
    what: 'an entry that is not what was asked for',
    edit: `update ledger_entries set request = '{"amount":21,"reason":"a test","corrects":null}' where id = 1`,
    says: /entry 1 of seller ann is a grant of 20, but its request was {"amount":21/,
  },
  {
    rule: 'B8',
    what: 'a request that is no JSON',
    edit: "update ledger_entries set request = 'lost' where id = 1",
    says: /entry 1 of seller ann is a grant of 20, but its request was lost/,
  },
  {
    rule: 'B10',
    what: 'a deduction that was given back twice',
    edit: `drop index ledger_one_correction;
      update ledger_entries set corrects = (select corrects from ledger_entries where id = ${OPERATORS_REFUND})
        where idempotency_key like 'program:%'`,
    says: /deduction \d+ is given back by entries \d+,\d+/,
  },
  {
    rule: 'B10',
    what: 'a refund of another interval',
    edit: `update ledger_entries set interval_index = 0 where id = ${OPERATORS_REFUND}`,
    also: ['V1'],
    says: /entry \d+ of seller ann gives back 1 for entry \d+, which took -1, or names another run or interval/,
  },
  {
    rule: 'B10',
    what: 'a refund by the program that nobody earned',
    edit: `update ledger_entries set idempotency_key = 'program:refund:' || run_id || ':' || interval_index,
      request = null where id = ${OPERATORS_REFUND}`,
    says: /entry \d+ of seller ann gives back interval 2 of run 1 at \S+, which was not due/,
  },
  {
    rule: 'B10',
    what: 'an end in the grace of an interval that was not given back',
    edit: "update runs set refund_grace_ms = 60000 where livestream_id = 'eve-show'",
    says: /deduction \d+ of seller eve is not given back, though run \d+ was ended at/,
  },
  {
    rule: 'B10',
    what: 'a run that has consumed what no entry says',
    edit: `update runs set credits_consumed = credits_consumed + 1 where id = ${ENDED}`,
    says: /run 1 of seller ann has consumed 3, but its entries come to 2/,
  },
  {
    rule: 'B10',
    what: 'a live run that would be given back what it never paid',
    edit: `update runs set paid_interval = 0 where id = ${LIVE}`,
    says: /live run \d+ of seller ann has 0 for its newest paid interval, but by the ledger it is \d+/,
  },
  {
    rule: 'B2',
    what: 'a start that was not paid for',
    edit: `delete from ledger_entries where run_id = ${INACTIVE}`,
    also: ['B10', 'B7', 'V1'],
    says: /run \d+ of seller dan, started at \S+, never paid for interval 0/,
  },
  {
    rule: 'B2',
    what: 'a deduction that drifts',
    edit: `update ledger_entries set occurred_at = occurred_at + 1, created_at = created_at + 1
      where run_id = ${ENDED} and interval_index = 1 and kind = 'deduction'`,
    also: ['V1'],
    says: /is for interval 1 of run 1, which begins at \S+:01:00.000Z, but is dated \S+:01:00.001Z/,
  },
  {
    rule: 'B2',
    what: 'a deduction for an interval that never began',
    edit: `update ledger_entries set interval_index = 50 where run_id = ${INACTIVE}`,
    also: ['V1'],
    says: /is for interval 50 of run \d+, of which 1 intervals have begun/,
  },
  {
    rule: 'B2',
    what: 'intervals that no outage waived any more',
    edit: 'delete from outages where ended_at - began_at > 60000',
    says: /run \d+ of seller eve: no deduction for its intervals 5 to 9, and outages waive 0 of them/,
  },
  {
    rule: 'B5',
    what: 'an interval that was deducted twice',
    edit: `drop index ledger_one_deduction; update ledger_entries set interval_index = 0
      where run_id = ${ENDED} and interval_index = 1 and kind = 'deduction'`,
    also: ['B2', 'V1'],
    says: /interval 0 of run 1 was deducted by entries \d+,\d+/,
  },
  {
    rule: 'B12',
    what: 'a deduction in an outage',
    edit: outage(20_000, 60_000),
    also: ['A5'],
    says: /is for interval 1 of run 1, which begins at \S+, in the outage from \S+:20.000Z to \S+:01:00.000Z/,
  },
  {
    rule: 'B12',
    what: 'a deduction long after the last stamp',
    edit: `delete from outages; delete from stamps where at > ${HISTORY_BEGAN_AT + 20_000}`,
    also: ['A2'],
    says: /is for interval 1 of run 1, which begins at \S+, in the outage from \S+:20.000Z on, which is open/,
  },
  {
    rule: 'B12',
    what: 'an end for want of credits in an outage',
    edit: outage(88_000, 121_000),
    also: ['A5'],
    says: /run \d+ of seller bob ended at \S+:02:00.000Z by credits_exhausted, in the outage from/,
  },
  {
    rule: 'E4',
    what: 'an ended run that is still due',
    edit: `update runs set due_at = ended_at where id = ${ENDED}`,
    says: /run 1 of seller ann ended at \S+ by seller, which is no end of a run/,
  },
  {
    rule: 'E4',
    what: 'an end without a reason',
    edit: `update runs set end_reason = null where id = ${ENDED}`,
    also: ['V1'],
    says: /run 1 of seller ann ended at \S+ by null, which is no end of a run/,
  },
  {
    rule: 'B3',
    what: 'an end for want of credits where no interval begins',
    edit: moveEnd(EXHAUSTED, -1),
    says: /run \d+ of seller bob ended at \S+:01:59.999Z by credits_exhausted, but its interval 2 begins at \S+:02:00.000Z/,
  },
  {
    rule: 'B3',
    what: 'an end for want of credits that were there',
    edit: `${moveEnd(INACTIVE, 30_000)} update runs set end_reason = 'credits_exhausted' where id = ${INACTIVE};`,
    also: ['E3', 'V1'],
    says: /run \d+ of seller dan ended at \S+ by credits_exhausted, but the balance was 4/,
  },
  {
    rule: 'B6',
    what: 'a run that was billed past its end',
    edit: `update runs set billed_intervals = billed_intervals + 1 where id = ${ENDED}`,
    also: ['B2'],
    says: /run 1 of seller ann ended at \S+ by seller, but 4 of its intervals have begun/,
  },
  {
    rule: 'B6',
    what: 'a run that paid at its deadline',
    edit: `${moveEnd(INACTIVE, -30_000)} update runs set last_activity_at = started_at - 30000,
      silent_since = started_at - 30000 where id = ${INACTIVE};`,
    says: /run \d+ of seller dan ended at \S+ by inactivity, but deduction \d+ of it is of/,
  },
  {
    rule: 'B6',
    what: 'a run that ended when somebody noticed',
    edit: moveEnd(INACTIVE, 1_000),
    says: /run \d+ of seller dan ended at \S+:31.000Z by inactivity, but its deadline is \S+:30.000Z/,
  },
  {
    rule: 'E4',
    what: 'a deduction after an end',
    edit: moveEnd(ENDED, '(-100000)'),
    also: ['B6'],
    says: /run 1 of seller ann ended at \S+ by seller, but deduction \d+ of it is of/,
  },
  {
    rule: 'E4',
    what: 'activity after an end',
    edit: `update runs set last_activity_at = ended_at + 1, silent_since = ended_at + 1 where id = ${ENDED}`,
    says: /run 1 of seller ann ended at \S+ by seller, but was active at/,
  },
  {
    rule: 'A2',
    what: 'a silence that nothing began',
    edit: `update runs set silent_since = silent_since + 1 where id = ${ENDED}`,
    says: /run 1 of seller ann was last active at \S+, but is silent since \S+, where no outage ended/,
  },
  {
    rule: 'A5',
    what: 'an end by a silence that an outage restarts',
    edit: outage(10_000, 20_000),
    says: /run \d+ of seller dan ended at \S+ by inactivity, silent since \S+, but there was an outage/,
  },
  {
    rule: 'E3',
    what: 'a run that outlived its deadline',
    edit: `update runs set last_activity_at = started_at, silent_since = started_at where id = ${ENDED}`,
    says: /run 1 of seller ann ended at \S+ by seller, but was due to end by inactivity at \S+:30.000Z/,
  },
  {
    rule: 'E3',
    what: 'a tie that inactivity won',
    edit: `update runs set end_reason = 'inactivity', last_activity_at = ended_at - auto_end_ms,
      silent_since = ended_at - auto_end_ms where id = ${EXHAUSTED};
      update events set payload = replace(payload, '"reason":"credits_exhausted"', '"reason":"inactivity"')
        where kind = 'stream_ended' and payload like ${aboutRun(EXHAUSTED)};`,
    says: /run \d+ of seller bob ended at \S+ by inactivity, but at that instant an interval began/,
  },
  {
    rule: 'B11',
    what: 'a live run that was left behind by its seller’s ledger',
    edit: `update runs set billed_intervals = billed_intervals - 1 where id = ${LIVE}`,
    also: ['B2', 'B4'],
    says: /live run \d+ of seller ann has something due at \S+ that was not done before the seller’s entry of/,
  },
  {
    rule: 'V2',
    what: 'an event that was deleted',
    edit: `delete from events where ${WARNING_OF_DAN}`,
    says: /seller dan: event 5 follows event 3/,
  },
  {
    rule: 'V2',
    what: 'an account that is ahead of its events',
    edit: "update credit_accounts set last_seq = last_seq + 1 where seller_id = 'fay'",
    says: /the account of seller fay is at event \d+, but the newest is \d+/,
  },
  {
    rule: 'V2',
    what: 'an event that tells another place than its own',
    edit: `update events set payload = replace(payload, '{"seq":' || seq || ',', '{"seq":99,') where ${WARNING_OF_DAN}`,
    says: /event \d+ of seller dan, of \S+, tells {"seq":99,/,
  },
  {
    rule: 'V2',
    what: 'an event that is no JSON',
    edit: `update events set payload = '{"seq":' where ${WARNING_OF_DAN}`,
    says: /event \d+ of seller dan, of \S+, tells {"seq":$/,
  },
  {
    rule: 'V4',
    what: 'an event of an unknown kind',
    edit: `update events set kind = 'rumour' where ${WARNING_OF_DAN}`,
    says: /event \d+ of seller dan is a rumour/,
  },
  {
    rule: 'V1',
    what: 'an event about somebody else’s run',
    edit: `update events set payload = replace(payload, '"run_id":' || ${INACTIVE}, '"run_id":' || ${EXHAUSTED}) where ${WARNING_OF_DAN}`,
    says: /event \d+ of seller dan is about run \d+ of livestream dan-show, but that run is of livestream bob-show/,
  },
  {
    rule: 'V1',
    what: 'an event that tells another balance than its entry',
    edit: `update events set payload = replace(payload, '"remaining_credits":20,', '"remaining_credits":100,')
      where seller_id = 'ann' and kind = 'credit_update' and seq = 1`,
    says: /seller ann, movement 1: entry 1 is a grant of 20 at \S+ that leaves 20, and event 1 tells of a .* leaves 100/,
  },
  {
    rule: 'A5',
    what: 'what it cannot look at',
    edit: 'alter table stamps rename to stamps_by_hand',
    also: ['B1', 'B11', 'B12', 'B2', 'B3', 'B6', 'B7', 'B8', 'E1', 'E3', 'E4', 'E5'],
    says: /whether this holds cannot be seen: no server stamps in an outage, and one stamps at its end \(.*stamps/,
  },
  {
    rule: 'V2',
    what: 'a payload that PostgreSQL cannot take apart',
    only: 'postgres',
    edit: `update events set payload = replace(payload, '"last_activity"', '"\\u0000"') where ${WARNING_OF_DAN}`,
    also: ['E4', 'V1'],
    says: /whether this holds cannot be seen: a payload tells the place and the instant of its event/,
  },
  {
    rule: 'V1',
    what: 'a credit_update that is missing',
    edit: `delete from events where seller_id = 'ann' and seq = 1`,
    also: ['V2'],
    says: /seller ann, movement 1: entry 1 is a grant of 20 at .*, and event 3 tells of a deduction of -1/,
  },
  {
    rule: 'V1',
    what: 'a newest entry that nobody was told of',
    edit: `delete from ledger_entries where id = (select max(id) from ledger_entries where seller_id = 'gus')`,
    also: ['B10', 'B2', 'B7'],
    says: /seller gus, movement 2: there is no entry, and event \d+ tells of a deduction of -1 for interval 0/,
  },
  {
    rule: 'V1',
    what: 'a start that is told of another instant',
    edit: moveEvent('stream_started', ENDED, 1),
    says: /run 1 of seller ann started at \S+, and that is told of 2026/,
  },
  {
    rule: 'V1',
    what: 'an end that is told with another reason',
    edit: `update events set payload = replace(payload, '"reason":"seller"', '"reason":"operator"') where kind = 'stream_ended'
      and payload like ${aboutRun(ENDED)}`,
    says: /run 1 of seller ann ended at \S+ by seller, but an end is told 1 times, of \S+ by operator/,
  },
  {
    rule: 'V1',
    what: 'a warning that was told otherwise',
    edit: "update runs set warned_at = warned_at - 1 where livestream_id = 'gus-show'",
    says: /live run \d+ of seller gus was warned at \S+, but was told of a warning at/,
  },
  {
    rule: 'V1',
    what: 'a final interval that was never told',
    edit: `update runs set final_told_interval = 0 where id = ${INACTIVE}`,
    says: /run \d+ of seller dan counts as told that interval 0 is its last, but there is no such event/,
  },
  {
    rule: 'E4',
    what: 'an event about a run that is over',
    edit: `insert into events select seller_id, (select last_seq + 1 from credit_accounts where seller_id = 'dan'), kind,
        occurred_at, replace(payload, '{"seq":' || seq || ',', '{"seq":' ||
        (select last_seq + 1 from credit_accounts where seller_id = 'dan') || ',')
        from events where ${WARNING_OF_DAN};
      update credit_accounts set last_seq = last_seq + 1 where seller_id = 'dan';`,
    says: /event \d+ of seller dan, inactivity_warning, is about run \d+, which ended with event \d+/,
  },
  {
    rule: 'A5',
    what: 'an outage that is none',
    edit: outage(-90_000, -87_000),
    says: /the outage from \S+ to \S+ is no longer than 3000 ms/,
  },
  {
    rule: 'A5',
    what: 'outages that overlap',
    edit: outage(-90_000, -80_000) + outage(-81_000, -70_000),
    says: /the outage from \S+ to \S+ begins in that from/,
  },
  {
    rule: 'A5',
    what: 'a stamp in an outage',
    edit: "insert into stamps select began_at + 1, 'server' from outages limit 1",
    says: /the outage from \S+ to \S+ has a stamp at/,
  },
]

const here = edits.filter(({ only }) => only === undefined || (only === 'postgres') === testsPostgres)
for (const { rule, what, edit, also = [], says } of here) {
  test(`${rule}: the audit finds ${what}`, async () => {
    const audit = await auditAfter(edit)
    assert.equal(rulesOf(audit), [rule, ...also].sort(), JSON.stringify(audit.breaches, null, 2))
    const texts = audit.breaches.filter((breach) => breach.rule === rule).map(({ text }) => text)
    assert.ok(
      texts.some((text) => says.test(text)),
      texts.join('\n'),
    )
  })
}

const guards = testsPostgres
  ? sql<{ removal: string; name: string }>`
      select 'drop trigger ' || tgname || ' on ' || cast(tgrelid as regclass) as removal, tgname as name
      from pg_trigger where not tgisinternal
      union all
      select 'alter table ' || cast(tgrelid as regclass) || ' disable trigger ' || tgname, tgname
      from pg_trigger where not tgisinternal
      union all
      select 'alter table ' || cast(conrelid as regclass) || ' drop constraint ' || conname || ' cascade', conname
      from pg_constraint join pg_class on pg_class.oid = conrelid
      where contype in ('c', 'p') and relname in ('credit_accounts', 'livestreams', 'runs', 'ledger_entries', 'events', 'outages')
        and conname not in ('livestreams_id_check', 'runs_check1', 'runs_low_credit_threshold_check', 'runs_refund_grace_ms_check',
          'runs_warning_ms_check')
      union all
      select 'drop index ' || cast(indexrelid as regclass), cast(cast(indexrelid as regclass) as text)
      from pg_index where indisunique and not indisprimary and indrelid = any (array[cast('runs' as regclass),
        cast('ledger_entries' as regclass)])
      order by 2`
  : sql<{ removal: string; name: string }>`
      select 'drop ' || type || ' ' || name as removal, name from sqlite_master
      where type = 'trigger' or (type = 'index' and sql like 'create unique%') order by name`

for (const { removal, name } of (await guards.execute(history.db)).rows) {
  test(`B5, B7, E2, V2: the audit finds that a guard of the database is missing: ${removal}`, async () => {
    const look = async (tx: Db) => {
      await sql.raw(removal).execute(tx)
      return auditAndNote(tx)
    }
    const { breaches } = await (testsPostgres ? undone(look) : inCopy((db) => db.transaction().execute(look)))
    const texts = breaches.map(({ text }) => text).filter((text) => !/^\w+_fkey is missing|^one of seven/.test(text))
    assert.is(texts.length, 1, texts.join('\n'))
    assert.match(texts[0] ?? '', new RegExp(`^${name} is missing in the database.*so nothing holds this rule there$`))
  })
}

if (testsPostgres) {
  test('B7, E5: the audit finds functions of triggers that were changed, and references that are not held', async () => {
    for (const name of ['refuse', 'ledger_moves_balance', 'accounts_follow_ledger', 'events_move_sequence']) {
      const { breaches } = await undone(async (tx) => {
        await sql
          .raw(`create or replace function ${name}() returns trigger language plpgsql as
          'begin return null; end'`)
          .execute(tx)
        return auditAndNote(tx)
      })
      assert.equal(breaches.length, 1)
      assert.match(breaches[0]?.text ?? '', `the function ${name} is missing in the database or was changed`)
    }
    const { breaches } = await undone(async (tx) => {
      await sql`alter table runs drop constraint runs_seller_id_fkey`.execute(tx)
      return auditAndNote(tx)
    })
    assert.match(breaches.map(({ text }) => text).join(), /^one of seven references is missing/)
  })
}

test('B, E, V: what is looked at together can be looked at', async () => {
  await undone(async (tx) => {
    for (const { checks, suspicions } of SCANS) {
      const { rows } = await worded(suspicions, tx).execute(tx)
      assert.is(rows.length, 1)
      assert.equal(Object.keys(rows[0] ?? {}), Object.keys(checks))
    }
  })
})

test('B, E, V: of many breaches of one promise the audit tells the first ones, and how many more there are', async () => {
  const { breaches } = await auditAfter('update ledger_entries set created_at = occurred_at - 1')
  const { rows } = await sql<{ entries: number }>`select count(*) as entries from ledger_entries`.execute(history.db)
  assert.is(breaches.length, MOST_SHOWN + 1)
  assert.is(
    breaches.at(-1)?.text,
    `and ${Number(rows[0]?.entries) - MOST_SHOWN} more where this does not hold: ` +
      'an entry is written when it takes effect, or later',
  )
})

test('B, E, V: the audit reads one instant, and is not held up by a server that writes', async () => {
  const server = history.another()
  await server.db.transaction().execute(async (tx) => {
    await sql`update livestreams set title = 'being written'`.execute(tx)
    assert.equal((await auditDatabase(history.db)).breaches, [])
  })
})

test('B, E, V: there is nothing that the audit looks for and that no test makes it find', () => {
  assert.equal(
    CHECKS.filter(({ promise }) => !tripped.has(promise)).map(({ rule, promise }) => `${rule}: ${promise}`),
    [],
  )
})

test.run()
