import type { Clock } from '../clock.js'
import type { Instant } from '../domain/instant.js'
import type { Database, Db } from '../store/database.js'
import { databaseClock, type StoredTime, storedTime } from '../store/stamps.js'

/** A clock that several machines share: the database's. */
export interface SharedClock extends Clock {
  /**
   * Takes in what the database's clock has just said, and says which instant that is. `now()` says about the same without
   * asking: for how long to sleep, what to look at, and for what is only shown.
   */
  heard(now: Instant): Instant
}

/** The instant now, read after the locks of a transaction (B11). */
export async function instantNow(db: Db, clock: Clock | SharedClock): Promise<Instant> {
  return byClock(clock, 'heard' in clock ? await databaseClock(db) : null)
}

function byClock(clock: Clock | SharedClock, stored: Instant | null): Instant {
  return 'heard' in clock && stored !== null ? clock.heard(stored) : clock.now()
}

/** The time, read by one statement after the locks of a transaction (B11). */
export interface TimeRead extends Omit<StoredTime, 'now'> {
  /** Never before the newest stamp: time stands still until the clock has caught up with it. */
  readonly now: Instant
}

export async function readTime(tx: Db, clock: Clock | SharedClock): Promise<TimeRead> {
  const stored = await storedTime(tx)
  return { ...stored, now: Math.max(byClock(clock, stored.now), stored.lastStamp ?? 0) }
}

/**
 * Which clock counts: on PostgreSQL the database's, so that servers whose clocks differ charge the same; on SQLite the
 * machine's. Tokens go by the machine's in any case (P2).
 */
export async function clockOf({ db }: Database, machine: Clock): Promise<Clock | SharedClock> {
  const first = await databaseClock(db)
  if (first === null) return machine
  let aheadMs = first - machine.wallNow()
  return {
    now: () => machine.wallNow() + aheadMs,
    wallNow: machine.wallNow,
    heard(at) {
      aheadMs = at - machine.wallNow()
      return at
    },
  }
}
