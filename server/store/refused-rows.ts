/** PostgreSQL's classes (its appendix A): 22 a value that does not fit, 23 a constraint or a trigger that holds a rule. */
const REFUSED = /^(22|23)...$/
const SQLITE_REFUSED = /^SQLITE_(CONSTRAINT|MISMATCH)/

/**
 * Whether the schema refused what was written. That is about single rows, those that somebody edited by hand say, and not
 * about the database: without them the same statement would have succeeded.
 */
export function isRefusedByRows(error: unknown): error is Error {
  if (!(error instanceof Error) || !('code' in error)) return false
  const code = String(error.code)
  return REFUSED.test(code) || SQLITE_REFUSED.test(code)
}
