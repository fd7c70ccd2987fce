import { type KeptSqlite, openKept } from '../server/store/kept-sqlite.js'
import { SELDOM_PAGES } from '../server/store/sqlite-disk.js'
import { DUE_RUNS, type DueRun, inBatches, type KnownRows, type Limit } from './charging-limit.js'

/** Charges by prepared statements, a row at a time, each commit on disk. */
export function sqliteLimit(file: string): Limit {
  const sqlite = openKept(file)
  // As the program sets them while nobody waits.
  const pragmas = ['synchronous = full', 'temp_store = memory', `wal_autocheckpoint = ${SELDOM_PAGES}`]
  for (const pragma of pragmas) sqlite.exec(`pragma ${pragma}`)

  return {
    charge(form, count, now) {
      const due = sqlite.prepare<[number, number], DueRun>(`${DUE_RUNS} ? order by r.due_at, r.id limit ?`)
      const batches = inBatches(due.all(now, count))
      sqlite.exec(`pragma foreign_keys = ${form === 'insert' ? 'off' : 'on'}`)
      const putBack = form === 'bare' ? dropTriggers(sqlite) : () => undefined
      const write = form === 'insert' ? inserting(sqlite) : charging(sqlite, form === 'bare')
      const began = performance.now()
      for (const batch of form === 'insert' ? [batches.flat()] : batches) {
        sqlite.exec('begin immediate')
        for (const rows of batch) write(rows)
        sqlite.exec('commit')
      }
      const took = performance.now() - began
      putBack()
      return Promise.resolve(took)
    },
    close() {
      sqlite.close()
      return Promise.resolve()
    },
  }
}

function insertInto(sqlite: KeptSqlite, prefix: '' | 'raw_'): (rows: KnownRows) => void {
  const entry =
    sqlite.prepare(`insert into ${prefix}ledger_entries (seller_id, kind, amount, balance_after, livestream_id,
    run_id, interval_index, occurred_at, created_at) values (?, 'deduction', -1, ?, ?, ?, ?, ?, ?)`)
  const event = sqlite.prepare(`insert into ${prefix}events (seller_id, seq, kind, occurred_at, payload)
    values (?, ?, 'credit_update', ?, ?)`)
  return ({ id, sellerId, livestreamId, at, interval, balance, seq, payload }) => {
    entry.run(sellerId, balance, livestreamId, id, interval, at, at)
    event.run(sellerId, seq, at, payload)
  }
}

function charging(sqlite: KeptSqlite, allByHand: boolean): (rows: KnownRows) => void {
  const insert = insertInto(sqlite, '')
  const run = sqlite.prepare(
    'update runs set billed_intervals = ?, paid_interval = ?, due_at = ?, credits_consumed = ? where id = ?',
  )
  const account = sqlite.prepare('update credit_accounts set balance = ?, last_seq = ? where seller_id = ?')
  return (rows) => {
    const { id, sellerId, nextAt, interval, consumed, balance, seq } = rows
    run.run(interval + 1, interval, nextAt, consumed, id)
    insert(rows)
    if (allByHand) account.run(balance, seq, sellerId)
  }
}

/** Into empty copies of the two tables, with their keys and indexes. */
function inserting(sqlite: KeptSqlite): (rows: KnownRows) => void {
  for (const table of ['ledger_entries', 'events']) {
    sqlite.exec(`drop table if exists raw_${table}`)
    const makers = sqlite
      .prepare<[string], { sql: string }>(
        "select sql from sqlite_master where tbl_name = ? and type in ('table', 'index') and sql is not null order by type desc",
      )
      .all(table)
    for (const maker of makers) {
      sqlite.exec(maker.sql.replaceAll(table, `raw_${table}`).replace(/\bindex (?=\w)/i, 'index raw_'))
    }
  }
  return insertInto(sqlite, 'raw_')
}

/** Returns how to make them again. */
function dropTriggers(sqlite: KeptSqlite): () => void {
  const triggers = sqlite
    .prepare<[], { name: string; sql: string }>("select name, sql from sqlite_master where type = 'trigger'")
    .all()
  for (const { name } of triggers) sqlite.exec(`drop trigger ${name}`)
  return () => {
    for (const trigger of triggers) sqlite.exec(trigger.sql)
  }
}
