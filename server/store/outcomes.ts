import type { Instant } from '../domain/instant.js'
import type { Outcome } from '../domain/outcome.js'
import type { Run } from '../domain/run.js'
import type { Db } from './database.js'
import { insertEvents, type SellerEvent } from './events.js'
import { insertEntries, type SellerEntry } from './ledger.js'
import { saveRuns } from './runs.js'

/**
 * Writes what was decided about one or many sellers, by a handful of statements whatever their number: the runs, the
 * ledger entries that move their balances, and the events that tell of it, in one transaction (V1). Runs come first: the
 * schema takes an entry of an interval only once its run has come to it.
 */
export async function applyOutcomes(db: Db, outcomes: readonly Outcome[], now: Instant): Promise<void> {
  const runs: Run[] = []
  const started = new Set<number | null>()
  const entries: SellerEntry[] = []
  const events: SellerEvent[] = []
  const consumed = new Map<number, number>()
  for (const outcome of outcomes) {
    const { sellerId } = outcome
    runs.push(...outcome.runs)
    for (const entry of outcome.entries) {
      entries.push({ sellerId, entry })
      const runId = entry.interval?.runId
      if (runId !== undefined) consumed.set(runId, (consumed.get(runId) ?? 0) - entry.amount)
    }
    for (const event of outcome.events) {
      events.push({ sellerId, event })
      if (event.kind === 'stream_started') started.add(event.payload.run_id)
    }
  }
  await saveRuns(db, runs, started, consumed)
  await insertEntries(db, entries, now)
  await insertEvents(db, events)
}
