import { copyFileSync } from 'node:fs'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Check, MOST_SHOWN, type Scan, worded } from '../../server/store/audit/check.js'
import { type Audit, auditDatabase, auditWithin, lookedAt } from '../../server/store/audit.js'
import { type Db, openDatabase } from '../../server/store/database.js'
import { freshDatabase, testsPostgres } from '../support/fresh-database.js'
import { editByHand, editPostgresByHand } from '../support/hand-edit.js'
import { liveVariedHistory } from '../support/varied-history.js'
import { EDITS_OF_EVENTS } from './audit/edits-of-events.js'
import { EDITS_OF_LEDGER } from './audit/edits-of-ledger.js'
import { EDITS_OF_RUNS } from './audit/edits-of-runs.js'

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

const EDITS = [...EDITS_OF_RUNS, ...EDITS_OF_LEDGER, ...EDITS_OF_EVENTS]
const here = EDITS.filter(({ only }) => only === undefined || (only === 'postgres') === testsPostgres)
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
