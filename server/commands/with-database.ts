import { type Clock, systemClock } from '../clock.js'
import type { Config } from '../config.js'
import { clockOf, type SharedClock } from '../services/shared-clock.js'
import { type Database, openDatabase } from '../store/database.js'
import { migrate } from '../store/migrate.js'
import { reachDatabase } from '../store/reach.js'

/** How long a command waits for a database that does not answer. */
export const REACH_WITHIN_MS = 5_000

/** Opens the database up to date, does something with it, by the clock that counts there, and closes it whatever happens. */
export async function withDatabase<T>(
  config: Config,
  use: (database: Database, clock: Clock | SharedClock) => Promise<T>,
): Promise<T> {
  const database = openDatabase(config.database)
  try {
    await reachDatabase(database, REACH_WITHIN_MS)
    await migrate(database.db)
    return await use(database, await clockOf(database, systemClock()))
  } finally {
    await database.close()
  }
}
