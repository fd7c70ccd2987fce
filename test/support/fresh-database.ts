import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { createLog } from '../../server/log.js'
import type { DatabaseConfig } from '../../server/settings.js'
import { type Database, openDatabase } from '../../server/store/database.js'
import { migrate } from '../../server/store/migrate.js'

export const SILENT_LOG = createLog({ level: 'silent', pretty: false })

/** The PostgreSQL on which this file's databases are made, as the runner started it; '' for SQLite. */
const POSTGRES_URL = process.env['TEST_POSTGRES_URL'] ?? ''

/** Whether the tests of this process are about PostgreSQL. */
export const testsPostgres = POSTGRES_URL !== ''

/** A place for a database of its own. */
export interface DatabasePlace {
  /** As DATABASE_URL names it. */
  readonly url: string
  readonly config: DatabaseConfig
  /** SQLite's file; '' on PostgreSQL. */
  readonly file: string
  remove(): Promise<void>
}

let made = 0

export async function databasePlace(): Promise<DatabasePlace> {
  if (!testsPostgres) {
    const folder = mkdtempSync(join(tmpdir(), 'tallylight-test-'))
    const file = join(folder, 'test.db')
    return {
      url: `sqlite:${file}`,
      config: { kind: 'sqlite', file },
      file,
      remove: async () => rmSync(folder, { recursive: true, force: true }),
    }
  }
  made += 1
  const name = `test_${process.pid}_${made}`
  await asAdmin(`create database ${name}`)
  const url = Object.assign(new URL(POSTGRES_URL), { pathname: `/${name}` }).href
  return {
    url,
    config: { kind: 'postgres', url, poolSize: 10, statementTimeoutMs: 10_000, retryForMs: 5_000 },
    file: '',
    remove: () => asAdmin(`drop database if exists ${name} with (force)`),
  }
}

async function asAdmin(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: POSTGRES_URL })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

export interface FreshDatabase extends Database {
  /** As DATABASE_URL names it. */
  readonly url: string
  /** SQLite's file; '' on PostgreSQL. */
  readonly file: string
  /** Another connection to the same database, as another process would have. */
  another(): Database
}

/** A database of its own, with every table and nothing in it, and no server. */
export async function freshDatabase({ migrated = true } = {}): Promise<FreshDatabase> {
  const place = await databasePlace()
  const opened = [openDatabase(place.config)]
  const [first] = opened as [Database]
  if (migrated) await migrate(first.db)
  return {
    ...first,
    url: place.url,
    file: place.file,
    another() {
      const database = openDatabase(place.config)
      opened.push(database)
      return database
    },
    async close() {
      for (const database of opened) await database.close()
      await place.remove()
    },
  }
}
