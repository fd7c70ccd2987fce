import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { uptimeMs } from '../clock.js'
import { Refusal, SetupError } from '../domain/errors.js'
import type { Database } from './database.js'

const PAUSE_MS = 500

/**
 * Waits until the database answers.
 * @param onWait hears once that it does not yet, and why
 * @throws SetupError with what to do, where it does not answer in this time, or refuses
 */
export async function reachDatabase(
  { db, name }: Database,
  withinMs: number,
  onWait: (why: string) => void = () => undefined,
): Promise<void> {
  const startedAt = uptimeMs()
  for (let isFirst = true; ; isFirst = false) {
    try {
      await sql`select 1`.execute(db)
      return
    } catch (error) {
      const why = String(Object(error).cause?.message || Object(error).cause?.code || Object(error).message)
      const passes = error instanceof Refusal && error.code === 'temporarily_unavailable'
      if (!passes || uptimeMs() - startedAt > withinMs) {
        throw new SetupError(
          `The database ${name} cannot be used: ${why}. Check DATABASE_URL, and that the server runs.`,
        )
      }
      if (isFirst) onWait(why)
      await sleep(PAUSE_MS)
    }
  }
}
