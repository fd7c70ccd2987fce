import type { HeartbeatAnswer } from '../../client-sdk/protocol/index.js'
import type { Clock } from '../clock.js'
import { recordActivity } from '../domain/acts.js'
import { SECOND_MS, toTimestamp } from '../domain/instant.js'
import type { Log } from '../log.js'
import { type Heartbeat, lockRunsOf, type RecordedHeartbeat, recordHeartbeats } from '../store/heartbeats.js'
import { isRefusedByRows } from '../store/refused-rows.js'
import { type Committed, commitFreely } from '../store/transact.js'
import type { Identity } from '../tokens.js'
import { lastRunOf, notLive, ownLivestream } from './livestreams.js'
import type { Metering } from './metering.js'
import { readTime, type SharedClock } from './shared-clock.js'
import type { ServerTimekeeper } from './timekeeper.js'
import type { Waiter } from './waiter.js'

/** The most livestreams that one statement takes: it holds the event loop. */
const LARGEST_BATCH = 1_000
/** A stamp that is older says that no server stamps; it must not get as old as a gap that is an outage. */
const STAMP_IS_OLD_MS = 2 * SECOND_MS

export interface Heartbeats {
  /**
   * Records that the seller is there; the waiter hears once that is on disk (A6), or of a Refusal `livestream_not_found`,
   * `permission_denied` or `livestream_not_live`.
   */
  take(livestreamId: string, by: Identity, waiter: Waiter<HeartbeatAnswer>): void
  /** Whether any are not answered yet. */
  isBusy(): boolean
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

/** A heartbeat that is not answered yet. A class, and without a list for the one who waits: see `Carried` in transport/rest/reply.ts. */
class Pending implements Heartbeat {
  /** Who else waits for the same. */
  others: Waiter<HeartbeatAnswer>[] | null = null

  constructor(
    readonly livestreamId: string,
    readonly by: Identity,
    readonly waiter: Waiter<HeartbeatAnswer>,
  ) {}

  get sellerId(): string {
    return this.by.sub
  }

  /** How many wait. */
  get count(): number {
    return 1 + (this.others?.length ?? 0)
  }

  join(waiter: Waiter<HeartbeatAnswer>): void {
    this.others ??= []
    this.others.push(waiter)
  }
}

/**
 * Group commit: the heartbeats that arrive in one turn of the event loop are written by one statement in one
 * transaction, and while it goes to the disk the next batch fills. Those that the statement leaves out, because something of
 * their run is due, are settled one by one (A7).
 */
export function createHeartbeats({ metering, clock, timekeeper, log, onRecorded }: HeartbeatsParts): Heartbeats {
  let filling = new Map<string, Pending>()
  /** Batches that are as large as one may be, the first to go first. */
  const full: Map<string, Pending>[] = []
  let writing: Promise<void> | null = null
  let underWay: Promise<void> | null = null
  const alone = new Set<Promise<void>>()

  function take(livestreamId: string, by: Identity, waiter: Waiter<HeartbeatAnswer>): void {
    const pending = filling.get(livestreamId)
    if (pending?.sellerId === by.sub && pending.by.role === by.role) pending.join(waiter)
    // A livestream is once in the statement; of two who speak of one, one is refused, whoever it is.
    else if (pending || by.role !== 'seller') follow(recordAlone(new Pending(livestreamId, by, waiter)))
    else {
      filling.set(livestreamId, new Pending(livestreamId, by, waiter))
      underWay ??= new Promise((done) => setImmediate(() => void flush().finally(done)))
      if (filling.size === LARGEST_BATCH) takeFull()
    }
  }

  /** At once where nothing is written: the sooner requests are answered, the less of them there is to keep. */
  function takeFull(): void {
    full.push(closeBatch())
    if (writing === null) void writeNext()
  }

  function closeBatch(): Map<string, Pending> {
    const batch = filling
    filling = new Map()
    return batch
  }

  async function flush(): Promise<void> {
    while (writing !== null || full.length > 0 || filling.size > 0) {
      await (writing ?? writeNext())
      // Whatever arrived meanwhile waits in the event loop's queue: let it in before the next batch is closed.
      await new Promise((turn) => setImmediate(turn))
    }
    underWay = null
  }

  function writeNext(): Promise<void> {
    writing = write(full.shift() ?? closeBatch()).finally(() => {
      writing = null
    })
    return writing
  }

  /** Resolves when a batch is on disk and answered. */
  async function write(batch: Map<string, Pending>): Promise<void> {
    const heartbeats = [...batch.values()]
    let recorded: readonly RecordedHeartbeat[]
    try {
      const { value, onDisk } = await recordAll(heartbeats)
      await onDisk
      recorded = value
    } catch (error) {
      // Whose rows are broken is found by recording each of them alone; one after the other, since they may be many.
      if (isRefusedByRows(error)) follow(recordOneByOne(heartbeats))
      else refuse(heartbeats, error)
      return
    }
    answer(batch, recorded)
  }

  function answer(batch: Map<string, Pending>, rows: readonly RecordedHeartbeat[]): void {
    let count = 0
    for (const row of rows) {
      const pending = batch.get(row.livestreamId)
      if (!pending) continue
      batch.delete(row.livestreamId)
      count += pending.count
      acknowledge(pending, row)
    }
    onRecorded(count)
    // Something of their run is due, or there is nothing to record.
    for (const pending of batch.values()) follow(recordAlone(pending))
  }

  function refuse(heartbeats: readonly Pending[], error: unknown): void {
    for (const pending of heartbeats) tell(pending, (waiter) => waiter.reject(error))
  }

  /** One who cannot be answered keeps nobody else from an answer. */
  function tell({ waiter, others }: Pending, of: (waiter: Waiter<HeartbeatAnswer>) => void): void {
    tellOne(waiter, of)
    for (const other of others ?? []) tellOne(other, of)
  }

  function tellOne(waiter: Waiter<HeartbeatAnswer>, of: (waiter: Waiter<HeartbeatAnswer>) => void): void {
    try {
      of(waiter)
    } catch (error) {
      log.error({ err: error }, 'a heartbeat could not be answered')
    }
  }

  function follow(recording: Promise<void>): void {
    alone.add(recording)
    void recording.finally(() => alone.delete(recording))
  }

  /** A batch settles nothing, so it needs no stamp of its own; but where the last is old, the gap is closed first (A5). */
  async function recordAll(heartbeats: readonly Heartbeat[]): Promise<Committed<RecordedHeartbeat[]>> {
    for (;;) {
      const { value, onDisk } = await commitFreely(metering.db, async (tx) => {
        await lockRunsOf(tx, heartbeats)
        const { now, lastStamp } = await readTime(tx, clock)
        if (now - (lastStamp ?? 0) > STAMP_IS_OLD_MS) return null
        return recordHeartbeats(tx, heartbeats, now)
      })
      if (value !== null) return { value, onDisk }
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
    tell(pending, (waiter) => waiter.resolve(answer))
  }

  async function recordOneByOne(batch: readonly Pending[]): Promise<void> {
    for (const pending of batch) await recordAlone(pending)
  }

  async function recordAlone(pending: Pending): Promise<void> {
    const { livestreamId, by } = pending
    try {
      const { sellerId } = await ownLivestream(metering.db, livestreamId, by)
      const answer = await settleAndRecord(livestreamId, sellerId)
      onRecorded(pending.count)
      tell(pending, (waiter) => waiter.resolve(answer))
    } catch (error) {
      tell(pending, (waiter) => waiter.reject(error))
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

  const isBusy = () => underWay !== null || alone.size > 0

  return {
    take,
    isBusy,
    async drained() {
      while (isBusy()) {
        await Promise.all([underWay, ...alone])
      }
    },
  }
}
