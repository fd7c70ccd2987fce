import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditDatabase, auditWithin, findAll, lookedAt, readForLong } from '../server/store/audit.js'
import { type Database, openDatabase } from '../server/store/database.js'
import { openKept } from '../server/store/kept-sqlite.js'
import { migrate } from '../server/store/migrate.js'
import { startPostgres } from '../test/support/postgres.js'
import { copyTables } from './copy-tables.js'
import { fillLargeLedger } from './large-ledger.js'

// The audit of a million ledger entries, on SQLite and on PostgreSQL in turn.
//   npm run bench:audit [FILE]
// FILE is where the SQLite database is kept, or taken from, since making it takes minutes.

const ROUNDS = 3

const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))
const file = join(folder, 'audit.db')
const kept = process.argv[2]

if (kept === undefined || !keptIsThere(kept)) {
  const sqlite = openDatabase({ kind: 'sqlite', file })
  await migrate(sqlite.db)
  await fillLargeLedger(sqlite.db)
  await sqlite.close()
  if (kept !== undefined) copyFileSync(file, kept)
} else {
  copyFileSync(kept, file)
}

const postgres = await startPostgres()
const url = postgres.url
const databases: Record<string, Database> = {
  SQLite: openDatabase({ kind: 'sqlite', file }),
  PostgreSQL: openDatabase({ kind: 'postgres', url, poolSize: 4, statementTimeoutMs: 10_000, retryForMs: 1_000 }),
}
try {
  await fillPostgres(databases['PostgreSQL'])
  const seconds: Record<string, number[]> = { SQLite: [], PostgreSQL: [] }
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const [name, { db }] of Object.entries(databases)) {
      const began = performance.now()
      const { checked, breaches } = await auditDatabase(db)
      const took = (performance.now() - began) / 1_000
      if (breaches.length > 0) throw new Error(`${name}: ${breaches.map(({ text }) => text).join('\n')}`)
      seconds[name]?.push(took)
      const facts = Object.entries(checked).map(([what, count]) => `${count} ${what}`)
      console.log(`round ${round}  ${name}: ${took.toFixed(1)} s   ${facts.join(', ')}`)
    }
  }
  for (const [name, { db }] of Object.entries(databases)) await tellOf(name, db, seconds[name] ?? [])
} finally {
  for (const database of Object.values(databases)) await database.close()
  await postgres.stop()
  rmSync(folder, { recursive: true, force: true })
}

function keptIsThere(path: string): boolean {
  try {
    openKept(path, { readonly: true, fileMustExist: true }).close()
    return true
  } catch {
    return false
  }
}

async function fillPostgres(database: Database | undefined): Promise<void> {
  if (!database) return
  await migrate(database.db)
  const from = openKept(file, { readonly: true })
  await copyTables(from, database.db)
  from.close()
}

async function tellOf(name: string, db: Database['db'], seconds: number[]): Promise<void> {
  const median = seconds.toSorted((a, b) => a - b)[Math.floor(seconds.length / 2)] ?? 0
  const { rows, slowest } = await readForLong(db, async (tx) => {
    const { checked } = await auditWithin(tx)
    const took: { promise: string; ms: number }[] = []
    for (const item of lookedAt(tx)) {
      const began = performance.now()
      await findAll(tx, item)
      const promises = 'checks' in item ? item.checks.map(({ promise }) => promise) : [item.promise]
      took.push({ promise: promises.join('; '), ms: performance.now() - began })
    }
    const slowest = took.sort((a, b) => b.ms - a.ms).slice(0, 3)
    return { rows: Object.values(checked).reduce((sum, count) => sum + count, 0), slowest }
  })
  console.log(`${name}: median ${median.toFixed(1)} s, ${Math.round(rows / median).toLocaleString('en')} rows a second`)
  for (const { promise, ms } of slowest) console.log(`  ${(ms / 1_000).toFixed(1)} s  ${promise.slice(0, 150)}`)
}
