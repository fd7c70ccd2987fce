import type { Config } from '../config.js'
import { openDatabase } from '../store/database.js'
import { migrate as migrateDatabase } from '../store/migrate.js'
import { reachDatabase } from '../store/reach.js'
import { REACH_WITHIN_MS } from './with-database.js'

/** `tallylight migrate`: brings the database up to date. */
export async function migrate(config: Config, print: (line: string) => void): Promise<void> {
  const database = openDatabase(config.database)
  try {
    await reachDatabase(database, REACH_WITHIN_MS)
    const names = await migrateDatabase(database.db)
    if (names.length === 0) print(`${database.name} is up to date`)
    for (const name of names) print(`${database.name}: ran ${name}`)
  } finally {
    await database.close()
  }
}
