import { sql } from 'kysely'
import type { Database } from '../../server/store/database.js'
import { isPostgres } from '../../server/store/dialect.js'

const TABLES = ['credit_accounts', 'livestreams', 'runs', 'ledger_entries', 'events']

/** Changes whenever something is written to the database, a stamp too. */
export async function writeMark(database: Database): Promise<string> {
  if (!isPostgres(database.db)) return String(database.changeMark())
  const stamps = await database.db.selectFrom('stamps').selectAll().execute()
  return JSON.stringify([await databaseFacts(database), stamps])
}

/** Everything that is kept of sellers, a list of rows for each table: two of them are equal where nothing has changed. */
export async function databaseFacts({ db }: Database): Promise<Record<string, unknown[]>> {
  const facts: Record<string, unknown[]> = {}
  for (const table of TABLES) {
    const { rows } = await sql`select * from ${sql.table(table)} order by 1, 2`.execute(db)
    facts[table] = rows
  }
  return facts
}
