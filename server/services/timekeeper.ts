import type { Clock } from '../clock.js'
import type { Instant } from '../domain/instant.js'
import { LONGEST_GAP_MS, type Outage } from '../domain/outage.js'
import type { Db, Tx } from '../store/database.js'
import { holdTime, shareTime } from '../store/locks.js'
import { makeWarnedRunsDue } from '../store/runs.js'
import { insertOutage, insertStamp } from '../store/stamps.js'
import { transact } from '../store/transact.js'
import { readTime, type SharedClock, type TimeRead } from './shared-clock.js'

/** The instants of one transaction, read once, after its locks are held (B11). */
export interface Look {
  /** Up to when everything that was due can be decided for good. */
  readonly settleTo: Instant
  /** When an act of this transaction happens; never before `settleTo`. */
  readonly actAt: Instant
  /** The outage that no server has closed yet, if there is one. */
  readonly openOutage: Outage | null
  /** When the newest closed one ended; null where there was none. */
  readonly lastOutageEnd: Instant | null
}

/** How a process tells the time. */
export interface Timekeeper {
  /**
   * Runs a transaction that decides something. `work` takes its locks, and then looks, once; where the time has to be
   * mended first, all of it is undone and done again, so it must have no effect but on the database.
   */
  decide<T>(db: Db, work: (tx: Tx, look: () => Promise<Look>) => Promise<T>): Promise<T>
}

/** How a server tells the time. */
export interface ServerTimekeeper extends Timekeeper {
  /** A server's sign of life; where the last one, whoever's, is too old, it closes the outage (A5). */
  stamp(db: Db): Promise<Instant>
}

/** Undoes a transaction that found a gap between the stamps. */
class GapFound extends Error {}

/**
 * A server stamps in every transaction that decides, so that it is never in doubt about what has passed (A5). A gap is
 * closed beforehand, in a transaction of its own that no other one is under way beside: else one could stamp, and decide,
 * within the outage that the other is about to find.
 */
export function serverTimekeeper(clock: Clock | SharedClock, serverId: string): ServerTimekeeper {
  async function stamp(db: Db): Promise<Instant> {
    return orAlone(db, async (tx, isAlone) => {
      const time = await readTime(tx, clock)
      const { lastStamp, now } = time
      if (lastStamp !== null && isGap(time)) {
        // Another server may close it while this one waits to be alone.
        if (!isAlone) throw new GapFound()
        await insertOutage(tx, lastStamp, now)
        await makeWarnedRunsDue(tx, now)
      }
      await insertStamp(tx, now, serverId)
      return now
    })
  }

  async function look(tx: Tx): Promise<Look> {
    const time = await readTime(tx, clock)
    if (isGap(time)) throw new GapFound()
    const { now, lastOutageEnd } = time
    await insertStamp(tx, now, serverId)
    return { settleTo: now, actAt: now, openOutage: null, lastOutageEnd }
  }

  return {
    stamp,
    async decide(db, work) {
      for (;;) {
        try {
          return await transact(db, async (tx) => {
            await shareTime(tx)
            return work(tx, () => look(tx))
          })
        } catch (error) {
          if (!(error instanceof GapFound)) throw error
          await stamp(db)
        }
      }
    },
  }
}

/**
 * A command never stamps. What came after the newest stamp may still turn out to be an outage, so it settles only up to
 * that stamp; where the stamp is too old for that, the outage is there, and open (A5). To find that, it must be alone: a
 * server that has just come back may be about to close it.
 */
export function commandTimekeeper(clock: Clock | SharedClock): Timekeeper {
  async function look(tx: Tx, isAlone: boolean): Promise<Look> {
    const time = await readTime(tx, clock)
    const { lastStamp, lastOutageEnd, now } = time
    if (lastStamp === null) return { settleTo: now, actAt: now, openOutage: null, lastOutageEnd }
    if (!isGap(time)) return { settleTo: lastStamp, actAt: now, openOutage: null, lastOutageEnd }
    if (!isAlone) throw new GapFound()
    return { settleTo: now, actAt: now, openOutage: { beganAt: lastStamp, endedAt: null }, lastOutageEnd }
  }

  return {
    decide: (db, work) => orAlone(db, (tx, isAlone) => work(tx, () => look(tx, isAlone))),
  }
}

/** Runs a transaction beside others; once more, alone, where it found a gap. */
async function orAlone<T>(db: Db, work: (tx: Tx, isAlone: boolean) => Promise<T>): Promise<T> {
  for (let isAlone = false; ; isAlone = true) {
    try {
      return await transact(db, async (tx) => {
        await (isAlone ? holdTime(tx) : shareTime(tx))
        return work(tx, isAlone)
      })
    } catch (error) {
      if (!(error instanceof GapFound)) throw error
    }
  }
}

function isGap({ lastStamp, now }: TimeRead): boolean {
  return lastStamp !== null && now - lastStamp > LONGEST_GAP_MS
}
