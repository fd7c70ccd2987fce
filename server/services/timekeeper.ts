import type { Clock } from '../clock.js'
import type { Instant } from '../domain/instant.js'
import { LONGEST_GAP_MS, type Outage } from '../domain/outage.js'
import type { Db, Tx } from '../store/database.js'
import { holdTime, shareTime } from '../store/locks.js'
import { makeWarnedRunsDue } from '../store/runs.js'
import { insertOutage, insertStamp, lastStamp } from '../store/stamps.js'
import { transact } from '../store/transact.js'
import { instantNow, type SharedClock } from './shared-clock.js'

/** The instants of one transaction, read once, after its locks are held (B11). */
export interface Look {
  /** Up to when everything that was due can be decided for good. */
  readonly settleTo: Instant
  /** When an act of this transaction happens; never before `settleTo`. */
  readonly actAt: Instant
  /** The outage that no server has closed yet, if there is one. */
  readonly openOutage: Outage | null
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

/** The newest stamp and the instant now. Time stands still until the clock has caught up with the newest stamp. */
async function readTime(tx: Db, clock: Clock | SharedClock): Promise<{ last: Instant | null; now: Instant }> {
  const wall = await instantNow(tx, clock)
  const last = await lastStamp(tx)
  return { last, now: Math.max(wall, last ?? 0) }
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
      const { last, now } = await readTime(tx, clock)
      if (last !== null && isGap({ last, now })) {
        // Another server may close it while this one waits to be alone.
        if (!isAlone) throw new GapFound()
        await insertOutage(tx, last, now)
        await makeWarnedRunsDue(tx, now)
      }
      await insertStamp(tx, now, serverId)
      return now
    })
  }

  async function look(tx: Tx): Promise<Look> {
    const time = await readTime(tx, clock)
    if (isGap(time)) throw new GapFound()
    await insertStamp(tx, time.now, serverId)
    return { settleTo: time.now, actAt: time.now, openOutage: null }
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
    const { last, now } = await readTime(tx, clock)
    if (last === null) return { settleTo: now, actAt: now, openOutage: null }
    if (!isGap({ last, now })) return { settleTo: last, actAt: now, openOutage: null }
    if (!isAlone) throw new GapFound()
    return { settleTo: now, actAt: now, openOutage: { beganAt: last, endedAt: null } }
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

function isGap({ last, now }: { last: Instant | null; now: Instant }): boolean {
  return last !== null && now - last > LONGEST_GAP_MS
}
