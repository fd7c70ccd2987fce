import type { Db } from '../store/database.js'
import { misfitOf } from '../store/migrate.js'

export interface Readiness {
  /** Null when the server can serve: the database answers, its migrations are those of this version, and it is not draining. */
  check(): Promise<string | null>
  drain(): void
}

export function createReadiness(db: Db): Readiness {
  let draining = false
  return {
    async check() {
      if (draining) return 'draining'
      try {
        return await misfitOf(db)
      } catch {
        return 'the database does not answer'
      }
    },
    drain() {
      draining = true
    },
  }
}
