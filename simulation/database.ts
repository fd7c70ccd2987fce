import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import pg from 'pg'
import type { PostgresConfig } from '../server/settings.js'
import { type Database, openDatabase } from '../server/store/database.js'
import { migrate } from '../server/store/migrate.js'

/** A database of one world; each node has connections of its own. */
export interface WorldDatabase {
  open(): Promise<Database>
  drop(): Promise<void>
}

/** Makes databases of worlds. This is the only place that knows which database it is. */
export interface Databases {
  fresh(): WorldDatabase
  /** Removes all that was left. */
  close(): Promise<void>
}

/** Files in a temporary folder: migrates once, and copies that for each world. */
export async function makeDatabases(): Promise<Databases> {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-simulation-'))
  const template = join(folder, 'template.db')
  const first = openDatabase({ kind: 'sqlite', file: template })
  await migrate(first.db)
  await first.close()
  let made = 0
  return {
    fresh() {
      made += 1
      const file = join(folder, `world-${made}.db`)
      copyFileSync(template, file)
      return {
        async open() {
          const database = openDatabase({ kind: 'sqlite', file })
          // Nobody pulls the plug of this machine here: a crash is one of the program, which the page cache survives.
          await sql`pragma synchronous = off`.execute(database.db)
          return database
        },
        async drop() {
          for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
        },
      }
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The same on a PostgreSQL that is started for it, and ends with it. */
export async function makePostgresDatabases(): Promise<Databases> {
  // Loaded here: it listens for messages of a parent process, which a test that has one would never end for.
  const { startPostgres } = await import('../test/support/postgres.js')
  const server = await startPostgres()
  const of = (name: string): PostgresConfig => ({
    kind: 'postgres',
    url: Object.assign(new URL(server.url), { pathname: `/${name}` }).href,
    poolSize: 4,
    statementTimeoutMs: 60_000,
    retryForMs: 5_000,
  })
  async function asAdmin(statement: string): Promise<void> {
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    await client.query(statement).finally(() => client.end())
  }

  await asAdmin('create database template_world')
  const first = openDatabase(of('template_world'))
  await migrate(first.db)
  await first.close()
  let made = 0
  return {
    fresh() {
      made += 1
      const name = `world_${made}`
      let isThere: Promise<void> | undefined
      return {
        async open() {
          isThere ??= asAdmin(`create database ${name} template template_world`)
          await isThere
          return openDatabase(of(name))
        },
        drop: () => asAdmin(`drop database if exists ${name} with (force)`),
      }
    },
    close: () => server.stop(),
  }
}
