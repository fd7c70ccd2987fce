import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Sqlite from 'better-sqlite3'
import { Kysely } from 'kysely'
import { uptimeMs } from '../clock.js'
import { SetupError } from '../domain/errors.js'
import type { Database } from './database.js'
import { type KeptSqlite, openKept } from './kept-sqlite.js'
import type { Schema } from './schema.js'
import { ImmediateSqliteDialect } from './sqlite-dialect.js'

/** How long opening may wait for the writers of other processes: nobody is served yet. */
const OPENING_WAIT_MS = 10_000
/** Between two tries meanwhile. */
const LONGEST_PAUSE_MS = 20
/** How long a statement may wait inside SQLite, where it blocks the event loop; beyond it, waiting is asynchronous. */
const BLOCKING_WAIT_MS = 50

/**
 * Opens the SQLite database in `file` and makes it, and its folder, where they are missing.
 * Every commit is on disk when it returns (WAL with synchronous=FULL, A6); for `commitFreely` see there.
 * @param file a path, or `:memory:`
 * @throws SetupError when it cannot be opened or written
 */
export function openSqlite(file: string): Database {
  const sqlite = openFile(file)
  const db = new Kysely<Schema>({ dialect: new ImmediateSqliteDialect(sqlite) })
  const mark = sqlite.prepare('pragma data_version').pluck()
  return {
    db,
    name: file,
    changeMark: () => Number(mark.get()),
    close: () => db.destroy(),
  }
}

/**
 * Turns the write-ahead log on, which the file remembers. Of processes that do so at once, on a file that has none yet, SQLite tells each
 * that it is locked, and waits for nobody, since they would wait for each other; who comes again finds it done.
 */
function writeAhead(sqlite: KeptSqlite): void {
  const giveUpAt = uptimeMs() + OPENING_WAIT_MS
  for (;;) {
    try {
      sqlite.exec('pragma journal_mode = wal')
      return
    } catch (error) {
      const isLocked = error instanceof Sqlite.SqliteError && error.code === 'SQLITE_BUSY'
      if (!isLocked || uptimeMs() > giveUpAt) throw error
      pause(Math.random() * LONGEST_PAUSE_MS)
    }
  }
}

/** Holds the event loop, as SQLite's own waiting does. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function openFile(file: string): KeptSqlite {
  try {
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true })
    const sqlite = openKept(file, { timeout: OPENING_WAIT_MS })
    writeAhead(sqlite)
    sqlite.exec('pragma synchronous = full')
    sqlite.exec('pragma foreign_keys = on')
    sqlite.exec('pragma temp_store = memory')
    // Fails here, at the start, where the file is read-only, rather than at the first deduction.
    sqlite.exec('begin immediate; rollback')
    sqlite.exec(`pragma busy_timeout = ${BLOCKING_WAIT_MS}`)
    return sqlite
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new SetupError(
      `The database ${file} cannot be opened and written: ${why}. ` +
        'Check that the folder exists and is writable, or name another file in DATABASE_URL=sqlite:PATH.',
    )
  }
}
