import { Refusal } from '../domain/errors.js'

/** What an operating system says where there is no way to the database. */
const NO_WAY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
])
/** What pg says of a connection that broke, or did not come about, and gives no code. */
const BROKEN = /connection terminated|timeout exceeded when trying to connect|connection error and is not queryable/i
/**
 * PostgreSQL's classes and codes (its appendix A) for what passes by itself or by an operator: 08 no connection, 53 out of
 * resources (disk, memory, connections), 57P stopping and starting, 25P03 and 57014 a time limit, 25006 a standby.
 */
const PASSING = /^(08...|53...|57P..|25P03|57014|25006|58030)$/
/** SQLite: a disk that is full or fails, and a file that is locked. */
const SQLITE_PASSING = /^SQLITE_(BUSY|FULL|IOERR|CANTOPEN|READONLY)/

/** The refusal for an error that says that the database cannot be had now; null for any other. */
export function unavailable(error: unknown): Refusal | null {
  if (!(error instanceof Error)) return null
  const code = 'code' in error ? String(error.code) : ''
  const passes = NO_WAY.has(code) || PASSING.test(code) || SQLITE_PASSING.test(code) || BROKEN.test(error.message)
  if (!passes) return null
  const refusal = new Refusal('temporarily_unavailable', 'The database does not answer, try again in a moment')
  return Object.assign(refusal, { cause: error })
}
