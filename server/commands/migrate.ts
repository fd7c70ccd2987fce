import type { Config } from '../config.js'
import { openDatabase } from '../store/database.js'
import { migrate as migrateDatabase } from '../store/migrate.js'

/** `tallylight migrate`: brings the database up to date. */
export async function migrate(config: Config, print: (line: string) => void): Promise<void> {
  const database = openDatabase(config.database.file)
  try {
    const names = await migrateDatabase(database.db)
    if (names.length === 0) print(`${config.database.file} is up to date`)
    for (const name of names) print(`${config.database.file}: ran ${name}`)
  } finally {
    await database.close()
  }
}
