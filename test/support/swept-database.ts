import type { Outcome } from '../../server/domain/outcome.js'
import { createMetering, type Metering } from '../../server/services/metering.js'
import { serverTimekeeper } from '../../server/services/timekeeper.js'
import type { Database } from '../../server/store/database.js'
import { insertStamp } from '../../server/store/stamps.js'
import { type FreshDatabase, freshDatabase } from './fresh-database.js'
import { type HandClock, handClock } from './hand-clock.js'

/** A database of its own that a test sweeps, without a server. */
export interface SweptDatabase {
  readonly database: FreshDatabase
  /** The database as another process sees it. */
  readonly reader: Database
  readonly clock: HandClock
  readonly metering: Metering
  /** The outcomes that have been announced, pass after pass. */
  readonly announced: Outcome[]
  /** Lets time pass in which another server stamps, so that it is no outage. */
  elapse(ms: number): Promise<void>
}

export async function sweptDatabase(): Promise<SweptDatabase> {
  const database = await freshDatabase()
  const reader = database.another()
  const clock = handClock()
  const announced: Outcome[] = []
  const timekeeper = serverTimekeeper(clock, 'server')
  const announce = (outcome: Outcome) => announced.push(outcome)
  const metering = createMetering({ db: database.db, clock, timekeeper, announce })
  const elapse = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await reader.db.transaction().execute((tx) => insertStamp(tx, clock.now(), 'another-server'))
  }
  await elapse(0)
  return { database, reader, clock, metering, announced, elapse }
}
