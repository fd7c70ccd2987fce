import { sql } from 'kysely'
import type { Db } from '../store/database.js'
import { pendingMigrations } from '../store/migrate.js'

export interface Readiness {
  /** Null when the server can serve: the database answers, migrations are applied, and it is not draining. */
  check(): Promise<string | null>
  drain(): void
}

export function createReadiness(db: Db): Readiness {
  let draining = false
  return {
    async check() {
      if (draining) return 'draining'
      try {
        const pending = await pendingMigrations(db)
        if (pending.length > 0) return `migrations to be run: ${pending.join(', ')}`
        await sql`select 1`.execute(db)
        return null
      } catch {
        return 'the database does not answer'
      }
    },
    drain() {
      draining = true
    },
  }
}
