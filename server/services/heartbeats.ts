import type { HeartbeatAnswer } from '../../client-sdk/protocol/index.js'
import type { Clock } from '../clock.js'
import { recordActivity } from '../domain/acts.js'
import { SECOND_MS, toTimestamp } from '../domain/instant.js'
import type { Log } from '../log.js'
import { type Heartbeat, lockRunsOf, type RecordedHeartbeat, recordHeartbeats } from '../store/heartbeats.js'
import { isRefusedByRows } from '../store/refused-rows.js'
import { lastStamp } from '../store/stamps.js'
import { transactFreely } from '../store/transact.js'
import type { Identity } from '../tokens.js'
import { lastRunOf, notLive, ownLivestream } from './livestreams.js'
import type { Metering } from './metering.js'
import { instantNow, type SharedClock } from './shared-clock.js'
import type { ServerTimekeeper } from './timekeeper.js'

/** A stamp that is older says that no server stamps; it must not get as old as a gap that is an outage. */
const STAMP_IS_OLD_MS = 2 * SECOND_MS
/** The most livestreams that one statement takes. */
const LARGEST_BATCH = 1_000

export interface Heartbeats {
  /**
   * Records that the seller is there; answers once that is on disk (A6).
   * @throws Refusal `livestream_not_found`, `permission_denied`, `livestream_not_live`
   */
  record(livestreamId: string, by: Identity): Promise<HeartbeatAnswer>
  /** Resolves when everything recorded so far is answered. */
  drained(): Promise<void>
}

export interface HeartbeatsParts {
  readonly metering: Metering
  readonly clock: Clock | SharedClock
  readonly timekeeper: ServerTimekeeper
  readonly log: Log
  /** Hears how many were recorded. */
  readonly onRecorded: (count: number) => void
}

interface Waiter {
  readonly resolve: (answer: HeartbeatAnswer) => void
  readonly reject: (error: unknown) => void
}

interface Pending extends Heartbeat {
  readonly by: Identity
  readonly waiters: Waiter[]
}

/**
 * Group commit: the heartbeats that arrive in one turn of the event loop are written by one statement in one
 * transaction, and while it is under way the next batch fills. Those that the statement leaves out, because something of
 * their run is due, are settled one by one (A7).
 */
export function createHeartbeats({ metering, clock, timekeeper, log, onRecorded }: HeartbeatsParts): Heartbeats {
  let filling = new Map<string, Pending>()
  let underWay: Promise<void> | null = null
  const alone = new Set<Promise<void>>()

  function record(livestreamId: string, by: Identity): Promise<HeartbeatAnswer> {
    return new Promise((resolve, reject) => {
      // Twice in a batch is once in the statement, where an arbitrary one would win. Neither id can hold a space.
      const key = `${keyOf(livestreamId, by.sub)} ${by.role}`
      const pending = filling.get(key)
      if (pending) pending.waiters.push({ resolve, reject })
      else filling.set(key, { livestreamId, sellerId: by.sub, by, waiters: [{ resolve, reject }] })
      underWay ??= new Promise<void>((done) => setImmediate(() => void flush().finally(done)))
    })
  }

  async function flush(): Promise<void> {
    while (filling.size > 0) {
      const all = [...filling.values()]
      filling = new Map()
      for (let from = 0; from < all.length; from += LARGEST_BATCH) await commit(all.slice(from, from + LARGEST_BATCH))
      // Whatever arrived meanwhile waits in the event loop's queue: let it in before the next batch is closed.
      await new Promise((turn) => setImmediate(turn))
    }
    underWay = null
  }

  async function commit(batch: Pending[]): Promise<void> {
    const sellers = batch.filter(({ by }) => by.role === 'seller')
    let recorded: Map<string, RecordedHeartbeat>
    try {
      const rows = await recordAll(sellers)
      recorded = new Map(rows.map((row) => [keyOf(row.livestreamId, row.sellerId), row]))
    } catch (error) {
      if (!isRefusedByRows(error)) {
        for (const { waiters } of batch) for (const { reject } of waiters) reject(error)
        return
      }
      // Whose rows are broken is found by recording each of them alone; one after the other, since they may be many.
      follow(recordOneByOne(batch))
      return
    }
    let count = 0
    for (const pending of batch) {
      const row = pending.by.role === 'seller' ? recorded.get(keyOf(pending.livestreamId, pending.sellerId)) : undefined
      if (row) {
        count += pending.waiters.length
        acknowledge(pending, row)
      } else follow(recordAlone(pending))
    }
    onRecorded(count)
  }

  function follow(recording: Promise<void>): void {
    alone.add(recording)
    void recording.finally(() => alone.delete(recording))
  }

  /** A batch settles nothing, so it needs no stamp of its own; but where the last is old, the gap is closed first (A5). */
  async function recordAll(heartbeats: readonly Heartbeat[]): Promise<RecordedHeartbeat[]> {
    for (;;) {
      const rows = await transactFreely(metering.db, async (tx) => {
        await lockRunsOf(tx, heartbeats)
        const wall = await instantNow(tx, clock)
        const last = (await lastStamp(tx)) ?? 0
        if (wall - last > STAMP_IS_OLD_MS) return null
        return recordHeartbeats(tx, heartbeats, Math.max(wall, last))
      })
      if (rows) return rows
      await timekeeper.stamp(metering.db)
    }
  }

  function acknowledge(pending: Pending, row: RecordedHeartbeat): void {
    log.debug({ seller: pending.sellerId, livestream: row.livestreamId, run: row.runId }, 'heartbeat')
    const answer = {
      message: 'Heartbeat recorded successfully',
      last_activity: toTimestamp(row.lastActivityAt),
      remaining_credits: row.balance,
      credits_consumed: row.creditsConsumed,
    }
    for (const { resolve } of pending.waiters) resolve(answer)
  }

  async function recordOneByOne(batch: readonly Pending[]): Promise<void> {
    for (const pending of batch) await recordAlone(pending)
  }

  async function recordAlone({ livestreamId, by, waiters }: Pending): Promise<void> {
    try {
      const { sellerId } = await ownLivestream(metering.db, livestreamId, by)
      const answer = await settleAndRecord(livestreamId, sellerId)
      onRecorded(waiters.length)
      for (const { resolve } of waiters) resolve(answer)
    } catch (error) {
      for (const { reject } of waiters) reject(error)
    }
  }

  function settleAndRecord(livestreamId: string, sellerId: string): Promise<HeartbeatAnswer> {
    return metering.withSeller(sellerId, async (tx, tally) => {
      const live = tally.live.find(({ run }) => run.livestreamId === livestreamId)
      const run = live ? recordActivity(tally, live.run.id) : null
      if (!run) throw notLive(await lastRunOf(tx, tally, livestreamId))
      log.debug({ seller: sellerId, livestream: livestreamId, run: run.id }, 'heartbeat')
      return {
        message: 'Heartbeat recorded successfully',
        last_activity: toTimestamp(run.lastActivityAt),
        remaining_credits: tally.balance,
        credits_consumed: run.creditsConsumed,
      }
    })
  }

  return {
    record,
    async drained() {
      while (underWay !== null || alone.size > 0) await Promise.all([underWay, ...alone])
    },
  }
}

function keyOf(livestreamId: string, sellerId: string): string {
  return `${livestreamId} ${sellerId}`
}
