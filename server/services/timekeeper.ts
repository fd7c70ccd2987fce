import type { Clock } from '../clock.js'
import type { Instant } from '../domain/instant.js'
import { LONGEST_GAP_MS, type Outage } from '../domain/outage.js'
import type { Db } from '../store/database.js'
import { makeWarnedRunsDue } from '../store/runs.js'
import { insertOutage, insertStamp, lastStamp } from '../store/stamps.js'

/** The instants of one transaction, read once, after its locks are held (B11). */
export interface Look {
  /** Up to when everything that was due can be decided for good. */
  readonly settleTo: Instant
  /** When an act of this transaction happens; never before `settleTo`. */
  readonly actAt: Instant
  /** The outage that no server has closed yet, if there is one. */
  readonly openOutage: Outage | null
}

export interface Timekeeper {
  look(tx: Db): Promise<Look>
}

/**
 * How a server tells the time: it stamps first, so that it is never in doubt about what has passed (A5), and a stamp
 * after a gap closes the outage. Time stands still until the wall clock has caught up with the newest stamp, whoever made it.
 */
export function serverTimekeeper(clock: Clock, serverId: string): Timekeeper {
  return {
    async look(tx) {
      const last = await lastStamp(tx)
      const now = Math.max(clock.now(), last ?? 0)
      if (last !== null && now - last > LONGEST_GAP_MS) {
        await insertOutage(tx, last, now)
        await makeWarnedRunsDue(tx, now)
      }
      await insertStamp(tx, now, serverId)
      return { settleTo: now, actAt: now, openOutage: null }
    },
  }
}

/**
 * How a command tells the time: it never stamps. What came after the newest stamp may still turn out to be an outage, so
 * it settles only up to that stamp; where the stamp is too old for that, the outage is there, and open (A5).
 */
export function commandTimekeeper(clock: Clock): Timekeeper {
  return {
    async look(tx) {
      const last = await lastStamp(tx)
      const now = Math.max(clock.now(), last ?? 0)
      if (last === null) return { settleTo: now, actAt: now, openOutage: null }
      if (now - last <= LONGEST_GAP_MS) return { settleTo: last, actAt: now, openOutage: null }
      return { settleTo: now, actAt: now, openOutage: { beganAt: last, endedAt: null } }
    },
  }
}
