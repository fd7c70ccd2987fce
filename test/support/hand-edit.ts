import Sqlite from 'better-sqlite3'

/**
 * Changes a database as somebody would who knows better: takes the triggers off, heeds no constraint, and puts the
 * triggers back. Indexes stay; an edit that they are in the way of drops them itself.
 * @param edit statements of SQL
 */
export function editByHand(file: string, edit: string): void {
  const sqlite = new Sqlite(file)
  try {
    sqlite.unsafeMode()
    sqlite.pragma('foreign_keys = off')
    sqlite.pragma('ignore_check_constraints = on')
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

/** Statements that let a table hold fractions and texts where it wants whole numbers. */
export const WITHOUT_STRICT = `pragma writable_schema = on;
  update sqlite_master set sql = replace(replace(sql, ') strict, without rowid', ') without rowid'), ') strict', ')')
    where type = 'table';
  pragma writable_schema = reset;`
