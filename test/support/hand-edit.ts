import { sql } from 'kysely'
import type { Db } from '../../server/store/database.js'
import { openKept } from '../../server/store/kept-sqlite.js'

/**
 * Changes a database as somebody would who knows better: takes the triggers off, heeds no constraint, and puts the
 * triggers back. Indexes stay; an edit that they are in the way of drops them itself.
 * @param edit statements of SQL
 */
export function editByHand(file: string, edit: string): void {
  const sqlite = openKept(file)
  try {
    sqlite.unsafeMode()
    sqlite.exec('pragma foreign_keys = off')
    sqlite.exec('pragma ignore_check_constraints = on')
    const triggers = sqlite
      .prepare<[], { name: string; sql: string }>("select name, sql from sqlite_master where type = 'trigger'")
      .all()
    for (const { name } of triggers) sqlite.exec(`drop trigger ${name}`)
    sqlite.exec(edit)
    for (const { sql } of triggers) sqlite.exec(sql)
  } finally {
    sqlite.close()
  }
}

/**
 * The same in a transaction of PostgreSQL, which can be undone: no trigger fires, no reference and no condition is heeded,
 * and afterwards all of them are there as before.
 */
export async function editPostgresByHand(tx: Db, edit: string): Promise<void> {
  const { rows: conditions } = await sql<{ of: string; name: string; definition: string }>`
    select cast(conrelid as regclass) as of, conname as name, pg_get_constraintdef(oid) as definition
    from pg_constraint where contype = 'c' and connamespace = cast(current_schema() as regnamespace)`.execute(tx)
  await sql`set local session_replication_role = replica`.execute(tx)
  for (const { of, name } of conditions) await sql.raw(`alter table ${of} drop constraint ${name}`).execute(tx)
  await sql.raw(edit).execute(tx)
  for (const { of, name, definition } of conditions) {
    await sql.raw(`alter table ${of} add constraint ${name} ${definition} not valid`).execute(tx)
  }
  await sql`set local allow_system_table_mods = on`.execute(tx)
  await sql`update pg_constraint set convalidated = true where not convalidated`.execute(tx)
  await sql`set local allow_system_table_mods = off`.execute(tx)
  await sql`set local session_replication_role = origin`.execute(tx)
}

/** Statements that let a table hold fractions and texts where it wants whole numbers. */
export const WITHOUT_STRICT = `pragma writable_schema = on;
  update sqlite_master set sql = replace(replace(sql, ') strict, without rowid', ') without rowid'), ') strict', ')')
    where type = 'table';
  pragma writable_schema = reset;`
