import { end, moveCredits, recordActivity, refundDeduction, start } from '../../server/domain/acts.js'
import { Refusal } from '../../server/domain/errors.js'
import type { Instant } from '../../server/domain/instant.js'
import type { Account, IntervalRef, NewEntry } from '../../server/domain/ledger.js'
import { LONGEST_GAP_MS, type Outage } from '../../server/domain/outage.js'
import { conclude, type NumberedEvent, type Outcome } from '../../server/domain/outcome.js'
import { dueAt, type LiveRun, type Run } from '../../server/domain/run.js'
import { settle } from '../../server/domain/settle.js'
import type { Tally } from '../../server/domain/tally.js'
import { type Act, LOW_CREDIT_THRESHOLD } from './history.js'
import { checkTransaction } from './invariants.js'

/** A run as a database holds it: `dueAt` is as old as the last settling, since heartbeats leave it alone. */
export interface StoredRun {
  readonly run: Run
  readonly dueAt: Instant
}

/** One seller as the services keep it, in memory: what they load, settle and write, and when they must not. */
export interface World {
  account: Account
  readonly runs: Map<number, StoredRun>
  readonly outages: Outage[]
  lastStamp: Instant
  readonly ledger: NewEntry[]
  readonly events: NumberedEvent[]
  /** The acts that were refused: instant, act, code. */
  readonly refusals: string[]
}

export function newWorld(): World {
  return {
    account: { sellerId: 'seller', balance: 0, lastSeq: 0 },
    runs: new Map(),
    outages: [],
    lastStamp: 0,
    ledger: [],
    events: [],
    refusals: [],
  }
}

export function liveRuns(world: World): LiveRun[] {
  const live: LiveRun[] = []
  for (const { run } of world.runs.values()) if (run.state === 'live') live.push(run)
  return live
}

/** A server's sign of life, which closes the outage that it finds (A5). */
export function stamp(world: World, now: Instant): void {
  if (now - world.lastStamp > LONGEST_GAP_MS) world.outages.push({ beganAt: world.lastStamp, endedAt: now })
  world.lastStamp = now
}

/** One transaction: load, settle, do the thing, write. What is refused leaves what was due (B11). */
function transact(
  world: World,
  now: Instant,
  openOutage: readonly Outage[],
  act?: (tally: Tally) => void,
): Refusal | null {
  // Frozen, since what `settle` is given belongs to the caller.
  const runs = Object.freeze(liveRuns(world).map((run) => Object.freeze(run)))
  const outages = Object.freeze([...world.outages, ...openOutage].map((outage) => Object.freeze(outage)))
  const tally = settle(Object.freeze({ ...world.account }), runs, outages, now)
  let refusal: Refusal | null = null
  try {
    act?.(tally)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    refusal = error
  }
  const outcome = conclude(tally)
  checkTransaction(world, outcome)
  write(world, outcome)
  return refusal
}

function write(world: World, outcome: Outcome): void {
  world.account = { ...world.account, balance: outcome.balance, lastSeq: outcome.lastSeq }
  world.ledger.push(...outcome.entries)
  world.events.push(...outcome.events)
  for (const run of outcome.runs) {
    world.runs.set(run.id, { run, dueAt: run.state === 'live' ? dueAt(run) : Number.POSITIVE_INFINITY })
  }
}

/** A server looks, at the instant of its newest stamp. */
export function serverLook(world: World): void {
  transact(world, world.lastStamp, [])
}

/** How far somebody who never stamps may settle (A5): to the last stamp, or to now where an outage is open. */
function settlableTo(world: World, now: Instant): { to: Instant; openOutage: Outage[] } {
  return now - world.lastStamp > LONGEST_GAP_MS
    ? { to: now, openOutage: [{ beganAt: world.lastStamp, endedAt: null }] }
    : { to: world.lastStamp, openOutage: [] }
}

/** `monitor_credits` or a command looks. */
export function monitorLook(world: World, now: Instant): void {
  const { to, openOutage } = settlableTo(world, now)
  transact(world, to, openOutage)
}

/** @returns false when a command has to wait, since something falls between the last stamp and now (A5) */
export function commandAct(world: World, now: Instant, act: Act): boolean {
  const { to, openOutage } = settlableTo(world, now)
  const settled = settle(world.account, liveRuns(world), [...world.outages, ...openOutage], to)
  if (to < now && settled.live.some(({ run }) => dueAt(run) <= now)) return false
  note(
    world,
    now,
    act,
    transact(world, now, openOutage, (tally) => perform(world, tally, act)),
  )
  return true
}

/** A server stamps, settles and acts. */
export function serverAct(world: World, now: Instant, act: Act): void {
  stamp(world, now)
  note(
    world,
    now,
    act,
    transact(world, now, [], (tally) => perform(world, tally, act)),
  )
}

/** Whether a heartbeat is written in a batch: live, unwarned, nothing due as far as is stored (A7), the stamp fresh. */
export function fitsBatch(world: World, now: Instant, livestreamId: string): boolean {
  const stored = storedLiveRun(world, livestreamId)
  if (!stored) return true
  return stored.run.warnedAt === null && stored.dueAt > now && now - world.lastStamp <= LONGEST_GAP_MS
}

/** Writes a heartbeat as a batch does: without settling, and leaving `dueAt` as it is. */
export function batchedHeartbeat(world: World, now: Instant, act: Act & { kind: 'heartbeat' }): void {
  const stored = storedLiveRun(world, act.livestreamId)
  if (!stored) {
    note(world, now, act, notLive())
    return
  }
  const { run } = stored
  world.runs.set(run.id, {
    ...stored,
    run: { ...run, lastActivityAt: Math.max(run.lastActivityAt, now), silentSince: Math.max(run.silentSince, now) },
  })
}

function storedLiveRun(world: World, livestreamId: string): StoredRun | undefined {
  return [...world.runs.values()].find(({ run }) => run.state === 'live' && run.livestreamId === livestreamId)
}

function note(world: World, now: Instant, act: Act, refusal: Refusal | null): void {
  if (refusal) world.refusals.push(`${now} ${act.kind} ${refusal.code}`)
}

const notLive = () => new Refusal('livestream_not_live', 'Livestream is not currently live')

function perform(world: World, tally: Tally, act: Act): void {
  const request = { idempotencyKey: `client:${world.ledger.length}`, request: '', reason: null }
  switch (act.kind) {
    case 'stamp':
      break
    case 'credits':
      moveCredits(tally, act.amount, request, LOW_CREDIT_THRESHOLD)
      break
    case 'refund':
      refundDeduction(tally, newestDeduction(world, tally, act.livestreamId), request)
      break
    case 'start':
      if (liveIn(tally, act.livestreamId)) throw new Refusal('livestream_already_live', 'Livestream is already live')
      start(tally, world.runs.size + 1, act.livestreamId, act.policy)
      break
    case 'end':
      if (!end(tally, liveIn(tally, act.livestreamId) ?? NO_RUN, act.by)) throw notLive()
      break
    case 'heartbeat':
      if (!recordActivity(tally, liveIn(tally, act.livestreamId) ?? NO_RUN)) throw notLive()
  }
}

const NO_RUN = 0

function liveIn(tally: Tally, livestreamId: string): number | undefined {
  return tally.live.find(({ run }) => run.livestreamId === livestreamId)?.run.id
}

/** What an operator corrects: the livestream's newest deduction, which the ledger gives back once at most (B10). */
function newestDeduction(world: World, tally: Tally, livestreamId: string): IntervalRef {
  const entries = [...world.ledger, ...tally.entries].filter(({ interval }) => interval?.livestreamId === livestreamId)
  const interval = entries.findLast(({ kind }) => kind === 'deduction')?.interval
  if (!interval) throw new Refusal('entry_not_found', 'No such deduction')
  const refunded = entries.some((entry) => entry.kind === 'refund' && sameInterval(entry.interval, interval))
  if (refunded) throw new Refusal('already_refunded', 'Refunded already')
  return interval
}

function sameInterval(one: IntervalRef | null, other: IntervalRef): boolean {
  return one?.runId === other.runId && one.intervalIndex === other.intervalIndex
}
