import { Migrator, sql } from 'kysely'
import { MIGRATIONS } from '../../migrations/index.js'
import { SetupError } from '../domain/errors.js'
import type { Db } from './database.js'
import { isPostgres } from './dialect.js'

const MIGRATION_TABLE = 'schema_migrations'

/**
 * Brings the database up to date, in one transaction.
 * @returns the names of the migrations that it ran, in order
 * @throws SetupError when the database was written by a newer version of the program
 */
export async function migrate(db: Db): Promise<string[]> {
  const applied = await appliedMigrations(db)
  refuseNewer(applied)
  if (applied.length === Object.keys(MIGRATIONS).length) return []
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => MIGRATIONS },
    migrationTableName: MIGRATION_TABLE,
    migrationLockTableName: 'schema_migrations_lock',
  })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error) throw error instanceof Error ? error : new Error(String(error))
  return results.filter(({ status }) => status === 'Success').map(({ migrationName }) => migrationName)
}

/**
 * Why this version of the program does not fit the database as it is; null where it does. A newer version may have
 * migrated it while this one ran.
 */
export async function misfitOf(db: Db): Promise<string | null> {
  const applied = await appliedMigrations(db)
  const pending = Object.keys(MIGRATIONS).filter((name) => !applied.includes(name))
  if (pending.length > 0) return `migrations to be run: ${pending.join(', ')}`
  const newer = newerThanThis(applied)
  return newer.length === 0 ? null : `a newer version of Tallylight migrated the database: ${newer.join(', ')}`
}

function newerThanThis(applied: readonly string[]): string[] {
  return applied.filter((name) => !(name in MIGRATIONS))
}

async function appliedMigrations(db: Db): Promise<string[]> {
  const found = isPostgres(db)
    ? sql`select 1 where to_regclass(${MIGRATION_TABLE}) is not null`
    : sql`select 1 from sqlite_master where type = 'table' and name = ${MIGRATION_TABLE}`
  if ((await found.execute(db)).rows.length === 0) return []
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(MIGRATION_TABLE)} order by name`.execute(db)
  return rows.map(({ name }) => name)
}

function refuseNewer(applied: readonly string[]): void {
  const unknown = newerThanThis(applied)
  if (unknown.length === 0) return
  throw new SetupError(
    `The database was written by a newer version of Tallylight (it has ${unknown.join(', ')}). ` +
      'Install that version or a later one, or name another database in DATABASE_URL.',
  )
}
