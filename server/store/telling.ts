import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { unavailable } from './unavailable.js'

/** A connection that tells a database that cannot be had as the refusal that it is (`unavailable`). */
export class TellingConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection

  constructor(inner: DatabaseConnection) {
    this.inner = inner
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return telling(async () => this.inner.executeQuery<R>(query))
  }

  streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.inner.streamQuery<R>(query, chunkSize)
  }
}

/** What was asked of the database, with its errors told so. */
export async function telling<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw unavailable(error) ?? error
  }
}

/** The same, of what does not wait. */
export function tellingAtOnce<T>(ask: () => T): T {
  try {
    return ask()
  } catch (error) {
    throw unavailable(error) ?? error
  }
}
