import { setTimeout as sleep } from 'node:timers/promises'
import type Sqlite from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
  type SqliteStatement,
  type TransactionSettings,
} from 'kysely'
import { Refusal } from '../domain/errors.js'
import type { KeptSqlite } from './kept-sqlite.js'
import { diskOf, type SqliteDisk } from './sqlite-disk.js'
import { TellingConnection, tellingAtOnce } from './telling.js'

/** How long a transaction waits for the writers of other processes before it gives up. */
const LONGEST_WAIT_MS = 10_000
/**
 * How many rows one statement inserts. Before a statement with triggers changes a page, SQLite keeps how the page was, to undo that
 * statement alone; of many rows in one, each page is kept once.
 */
const ROWS_AT_ONCE = [64, 8, 1]

/**
 * Kysely's SQLite dialect, but for four things: writing transactions begin immediate (deferred ones fail with SQLITE_BUSY
 * beside another process, however long they wait), the wait for another writer leaves the event loop free, a
 * statement that was prepared once is kept, and rows are named here.
 */
export class ImmediateSqliteDialect extends SqliteDialect {
  readonly #database: SqliteDatabase
  readonly #disk: SqliteDisk
  readonly #turn: Turn = { isTaken: false }

  constructor(sqlite: KeptSqlite) {
    const disk = diskOf(sqlite)
    const database = keepingStatements(sqlite, disk)
    super({ database })
    this.#database = database
    this.#disk = disk
  }

  override createDriver(): Driver {
    return new ImmediateSqliteDriver({ database: this.#database }, this.#turn)
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalSqliteAdapter(this.#disk, this.#database.prepare, this.#turn)
  }
}

/** Whose turn it is with the one connection that there is. */
interface Turn {
  /** Whether somebody has it, with a transaction under way perhaps. */
  isTaken: boolean
}

/** SQLite does run schema changes in transactions, so that a migration is whole or not there, and two never meet. */
export class TransactionalSqliteAdapter extends SqliteAdapter {
  readonly disk: SqliteDisk
  readonly #prepare: SqliteDatabase['prepare']
  readonly #turn: Readonly<Turn>

  constructor(disk: SqliteDisk, prepare: SqliteDatabase['prepare'], turn: Readonly<Turn>) {
    super()
    this.disk = disk
    this.#prepare = prepare
    this.#turn = turn
  }

  /** The rows that a statement reads of what is committed; null while somebody has the connection. */
  readAtOnce(statement: string, parameters: readonly unknown[]): unknown[] | null {
    return this.#turn.isTaken ? null : tellingAtOnce(() => this.#prepare(statement).all(parameters))
  }

  /** Runs a statement for each of these rows of parameters, in the transaction that is under way on the one connection. */
  forEach(statement: string, rows: readonly (readonly unknown[])[]): void {
    tellingAtOnce(() => {
      const prepared = this.#prepare(statement)
      for (const row of rows) prepared.run(row)
    })
  }

  /**
   * Inserts these rows, all of one width, by as few statements as there are sizes prepared for.
   * @param into `insert into` with the table and the names of the columns
   */
  insert(into: string, rows: readonly (readonly unknown[])[]): void {
    const row = `(${rows[0]?.map(() => '?')})`
    let from = 0
    for (const size of ROWS_AT_ONCE) {
      const some: unknown[][] = []
      for (; from + size <= rows.length; from += size) some.push(inOneList(rows, from, from + size))
      if (some.length > 0) this.forEach(`${into} values ${Array(size).fill(row)}`, some)
    }
  }

  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

/** `rows.slice(from, to).flat()`, which takes ten times as long. */
function inOneList(rows: readonly (readonly unknown[])[], from: number, to: number): unknown[] {
  const cells: unknown[] = []
  for (let at = from; at < to; at += 1) for (const cell of rows[at] ?? []) cells.push(cell)
  return cells
}

class ImmediateSqliteDriver extends SqliteDriver {
  readonly #turn: Turn
  #telling: TellingConnection | null = null

  constructor(config: SqliteDialectConfig, turn: Turn) {
    super(config)
    this.#turn = turn
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection()
    this.#turn.isTaken = true
    this.#telling ??= new TellingConnection(connection)
    return this.#telling
  }

  override async releaseConnection(): Promise<void> {
    this.#turn.isTaken = false
    await super.releaseConnection()
  }

  /** A full disk has undone it already. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await super.rollbackTransaction(connection).catch((error: unknown) => {
      if (!String(error).includes('no transaction is active')) throw error
    })
  }

  override async beginTransaction(connection: DatabaseConnection, settings?: TransactionSettings): Promise<void> {
    if (settings?.accessMode === 'read only') {
      await connection.executeQuery(CompiledQuery.raw('begin'))
      return
    }
    const begin = CompiledQuery.raw('begin immediate')
    let waitedMs = 0
    for (;;) {
      try {
        await connection.executeQuery(begin)
        return
      } catch (error) {
        if (!isBusy(error)) throw error
        if (waitedMs >= LONGEST_WAIT_MS) {
          throw new Refusal('temporarily_unavailable', 'The database is busy, try again in a moment')
        }
        const pauseMs = 5 + Math.random() * 20
        waitedMs += pauseMs
        await sleep(pauseMs)
      }
    }
  }
}

function isBusy(error: unknown): boolean {
  const { cause } = Object(error) as { cause?: unknown }
  return cause instanceof Error && 'code' in cause && String(cause.code).startsWith('SQLITE_BUSY')
}

function keepingStatements(sqlite: KeptSqlite, disk: SqliteDisk): SqliteDatabase {
  const kept = new Map<string, SqliteStatement>()
  const prepare = (source: string): SqliteStatement => {
    const known = kept.get(source)
    if (known) return known
    const statement = namingRows(sqlite.prepare<unknown[]>(source))
    kept.set(source, statement)
    return statement
  }
  return {
    prepare,
    close() {
      disk.close()
      sqlite.close()
    },
  }
}

type Row = Record<string, unknown>

/**
 * The driver sets each column of each row by its name, and looks that up each time: two fifths of reading runs. A row of bare cells is
 * half as much, and where a statement says itself what it selects, their names are known. What `*` is may change beneath a running server,
 * when a newer version migrates the database.
 */
function namingRows(statement: Sqlite.Statement<unknown[]>): SqliteStatement {
  if (!statement.reader || statement.source.includes('*')) return statement
  const names = statement.columns().map(({ name }) => name)
  const named = (cells: readonly unknown[]): Row => {
    const row: Row = {}
    let at = 0
    for (const name of names) {
      row[name] = cells[at]
      at += 1
    }
    return row
  }
  const raw = statement.raw() as Sqlite.Statement<unknown[], unknown[]>
  const all = (parameters: readonly unknown[]): Row[] => {
    // Filled and not mapped: DECISIONS.md, "A seller's state is one statement".
    const rows: Row[] = []
    for (const cells of raw.all(parameters)) rows.push(named(cells))
    return rows
  }
  return {
    reader: true,
    all,
    run: (parameters) => raw.run(parameters),
    // Kysely's streams, of which there are none: an iterator of the driver's own would be collected (kept-sqlite.ts).
    iterate: (parameters) => all(parameters).values(),
  }
}
