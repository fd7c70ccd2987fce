import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../../server/log.js'
import { type Database, openDatabase } from '../../server/store/database.js'
import { migrate } from '../../server/store/migrate.js'

export const SILENT_LOG = createLog({ level: 'silent', pretty: false })

export interface FreshDatabase extends Database {
  readonly file: string
  /** Another connection to the same file, as another process would have. */
  another(): Database
}

/** A database in a file of its own, with every table and nothing in it, and no server. */
export async function freshDatabase({ migrated = true } = {}): Promise<FreshDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-test-'))
  const file = join(folder, 'test.db')
  const opened = [openDatabase(file)]
  const [first] = opened as [Database]
  if (migrated) await migrate(first.db)
  return {
    ...first,
    file,
    another() {
      const database = openDatabase(file)
      opened.push(database)
      return database
    },
    async close() {
      for (const database of opened) await database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
