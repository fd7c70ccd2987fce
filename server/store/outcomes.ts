import type { Instant } from '../domain/instant.js'
import type { Outcome } from '../domain/outcome.js'
import type { Db } from './database.js'
import { insertEvents } from './events.js'
import { insertEntries } from './ledger.js'
import { saveRuns } from './runs.js'

/**
 * Writes what was decided about one or many sellers, by a handful of statements whatever their number: the runs, the
 * ledger entries that move their balances, and the events that tell of it, in one transaction (V1).
 */
export async function applyOutcomes(db: Db, outcomes: readonly Outcome[], now: Instant): Promise<void> {
  await saveRuns(
    db,
    outcomes.flatMap(({ runs }) => runs),
    new Set(outcomes.flatMap(startedRuns)),
  )
  await insertEntries(
    db,
    outcomes.flatMap(({ sellerId, entries }) => entries.map((entry) => ({ sellerId, entry }))),
    now,
  )
  await insertEvents(
    db,
    outcomes.flatMap(({ sellerId, events }) => events.map((event) => ({ sellerId, event }))),
  )
}

function startedRuns({ events }: Outcome): (number | null)[] {
  return events.filter(({ kind }) => kind === 'stream_started').map(({ payload }) => payload.run_id)
}
