import type { Clock } from '../clock.js'
import type { Instant } from '../domain/instant.js'
import type { Database, Db } from '../store/database.js'
import { databaseClock } from '../store/stamps.js'

/** A clock that several machines share, since it is asked for over the wire. */
export interface SharedClock extends Clock {
  /** The instant now. `now()` says about the same without asking: for how long to sleep, what to look at, and for what is only shown. */
  ask(db: Db): Promise<Instant>
}

/** The instant now, read after the locks of a transaction (B11). */
export async function instantNow(db: Db, clock: Clock | SharedClock): Promise<Instant> {
  return 'ask' in clock ? clock.ask(db) : clock.now()
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
    async ask(from) {
      const at = (await databaseClock(from)) ?? first
      aheadMs = at - machine.wallNow()
      return at
    },
  }
}
