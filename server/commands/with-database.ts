import type { Config } from '../config.js'
import { type Database, openDatabase } from '../store/database.js'
import { migrate } from '../store/migrate.js'

/** Opens the database up to date, does something with it, and closes it whatever happens. */
export async function withDatabase<T>(config: Config, use: (database: Database) => Promise<T>): Promise<T> {
  const database = openDatabase(config.database.file)
  try {
    await migrate(database.db)
    return await use(database)
  } finally {
    await database.close()
  }
}
