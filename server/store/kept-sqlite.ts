import Sqlite from 'better-sqlite3'

/** Without what makes an object at each call. */
export type KeptSqlite = Omit<Sqlite.Database, 'pragma' | 'backup' | 'transaction'>

/** All that was ever opened and prepared. */
const forGood: object[] = []

function keep<T extends object>(made: T): T {
  forGood.push(made)
  return made
}

/**
 * Opens a database of which no object of better-sqlite3 is ever collected. From Node 24.19 on, better-sqlite3 12 aborts the process where
 * one is collected while no JavaScript runs, if it was compiled with the headers of that Node (its node::ObjectWrap then asks for an
 * environment that is not there). So a statement is prepared once for a connection, and what makes an object at each call is not used:
 * `exec` sets a pragma, and no statement of the server's is iterated.
 */
export function openKept(file: string, options?: Sqlite.Options): KeptSqlite {
  const sqlite = keep(new Sqlite(file, options))
  const prepare = sqlite.prepare.bind(sqlite)
  sqlite.prepare = ((source: string) => keep(prepare(source))) as typeof sqlite.prepare
  return sqlite
}
