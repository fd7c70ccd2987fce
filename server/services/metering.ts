import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../clock.js'
import { Refusal } from '../domain/errors.js'
import type { Account, NewEntry } from '../domain/ledger.js'
import type { Outage } from '../domain/outage.js'
import { conclude, type Outcome } from '../domain/outcome.js'
import { dueAt, type LiveRun, nextIntervalAt } from '../domain/run.js'
import { settle } from '../domain/settle.js'
import type { Tally } from '../domain/tally.js'
import { ensureAccount, lockAccount, lockAccounts } from '../store/accounts.js'
import type { Db, Tx } from '../store/database.js'
import { type DueAccounts, type DueOptions, holdDueAccounts, type PassPosition } from '../store/due.js'
import type { Livestream } from '../store/livestreams.js'
import { applyOutcomes } from '../store/outcomes.js'
import { isRefusedByRows } from '../store/refused-rows.js'
import { loadLiveRuns } from '../store/runs.js'
import { loadSellerState } from '../store/seller-state.js'
import { outagesSince } from '../store/stamps.js'
import { readOnce } from '../store/transact.js'
import { instantNow, type SharedClock } from './shared-clock.js'
import type { Look, Timekeeper } from './timekeeper.js'

/** What is done with a seller once everything due was settled. It may change the tally, and throws a Refusal before it does. */
export type Act<T> = (tx: Db, tally: Tally) => Promise<T> | T

/** A seller whom nobody can settle until somebody has put the rows right, and what the schema says of it. */
export interface Unsettled {
  readonly sellerId: string
  readonly why: Error
}

export interface DuePass {
  readonly position: PassPosition
  readonly outcomes: readonly Outcome[]
  /** The sellers whose outcome the schema refused; nothing was done to them. */
  readonly unsettled: readonly Unsettled[]
  /** False when the pass has looked at everything that was due. */
  readonly more: boolean
}

/** Every change of money goes through here: lock, load, settle, act, apply, in one transaction; announce after the commit. */
export interface Metering {
  readonly db: Db
  /**
   * Settles a seller and acts, in one transaction (B11).
   * @throws Refusal of the act; what settling found is kept all the same
   */
  withSeller<T>(sellerId: string, act: Act<T>): Promise<T>
  /**
   * For servers only: a command cannot always settle everything that is due (A5).
   * Reads a seller of whom nothing is due: settles first where something is, and writes nothing where nothing is.
   * `read` sees the state and the sequence of one instant (V3), and the entries that settling for this call has written.
   */
  readSeller<T>(
    sellerId: string,
    read: (tx: Db, tally: Tally, settled: readonly NewEntry[]) => Promise<T> | T,
  ): Promise<T>
  /** The same where the seller's tally and a livestream, whoever's it is, are all that is read: one statement, without a transaction. */
  tallyOf(sellerId: string, livestreamId?: string): Promise<TallyRead>
  /**
   * Settles the sellers of the next runs that are due, in one transaction; in one for each of them where the schema refuses
   * what was decided about any, so that one with broken rows holds up nobody else.
   */
  settleDue(after: PassPosition, limit: number, options: DueOptions): Promise<DuePass>
}

/** What one statement reads of a seller. */
export interface TallyRead {
  readonly tally: Tally
  /** The livestream that was asked for; null where none was, or there is none of this id. */
  readonly livestream: Livestream | null
}

export interface MeteringParts {
  readonly db: Db
  readonly clock: Clock | SharedClock
  readonly timekeeper: Timekeeper
  /** Hears of each outcome once it is committed: nobody hears of undone work (V1). */
  readonly announce: (outcome: Outcome) => void
}

/** How long a command waits before it looks whether a server has stamped again (A5). */
const STAMP_WAIT_MS = 200

type Settled<T> =
  | { done: true; value: T; outcome: Outcome }
  | { done: true; refusal: Refusal; outcome: Outcome }
  | { done: false }

export function createMetering({ db, clock, timekeeper, announce }: MeteringParts): Metering {
  async function withSeller<T>(sellerId: string, act: Act<T>): Promise<T> {
    for (;;) {
      const settled = await timekeeper.decide(db, (tx, look) => settleAndAct(tx, look, sellerId, act))
      if (settled.done) {
        announce(settled.outcome)
        if ('refusal' in settled) throw settled.refusal
        return settled.value
      }
      await sleep(STAMP_WAIT_MS)
    }
  }

  async function settleAndAct<T>(
    tx: Tx,
    lookNow: () => Promise<Look>,
    sellerId: string,
    act: Act<T>,
  ): Promise<Settled<T>> {
    const account = await lockAccount(tx, sellerId)
    const runs = await loadLiveRuns(tx, [sellerId], { held: true })
    const look = await lookNow()
    const settled = settle(account, runs, await outagesOf(tx, runs, look), look.settleTo)
    const tally: Tally = { ...settled, now: look.actAt }
    // A5: what falls between the last stamp and now cannot be decided yet, and the act comes after it.
    if (look.settleTo < look.actAt && tally.live.some(({ run }) => dueAt(run) <= look.actAt)) return { done: false }
    let value: { value: T } | { refusal: Refusal }
    try {
      value = { value: await act(tx, tally) }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      value = { refusal: error }
    }
    const outcome = conclude(tally)
    if (outcome.entries.length > 0) await ensureAccount(tx, sellerId, look.actAt)
    await applyOutcomes(tx, [outcome], look.actAt)
    return { done: true, ...value, outcome }
  }

  /** A seller's tally now; null where something is due. */
  async function tallyNow(from: Db, sellerId: string, livestreamId?: string): Promise<TallyRead | null> {
    const { account, runs, livestream, lastStamp: last } = await loadSellerState(from, sellerId, livestreamId)
    const now = Math.max(await instantNow(from, clock), last ?? 0)
    return runs.some((run) => dueAt(run) <= now) ? null : { tally: settle(account, runs, [], now), livestream }
  }

  const tallyOf: Metering['tallyOf'] = async (sellerId, livestreamId) => {
    for (;;) {
      const read = await tallyNow(db, sellerId, livestreamId)
      if (read) return read
      await withSeller(sellerId, () => undefined)
    }
  }

  const readSeller: Metering['readSeller'] = async (sellerId, read) => {
    const settled: NewEntry[] = []
    for (;;) {
      const answer = await readOnce(db, async (tx) => {
        const now = await tallyNow(tx, sellerId)
        return now ? { value: await read(tx, now.tally, settled) } : null
      })
      if (answer) return answer.value
      settled.push(...(await withSeller(sellerId, (_tx, tally) => tally.entries)))
    }
  }

  /** Settles sellers whose accounts are held. */
  async function settleHeld(tx: Tx, lookNow: () => Promise<Look>, accounts: Account[]): Promise<Outcome[]> {
    const sellerIds = accounts.map(({ sellerId }) => sellerId)
    const runs = await loadLiveRuns(tx, sellerIds, { held: true })
    const look = await lookNow()
    const outcomes = settleAll(accounts, runs, await outagesOf(tx, runs, look), look)
    await applyOutcomes(tx, outcomes, look.actAt)
    return outcomes
  }

  const settleDue: Metering['settleDue'] = async (after, limit, options) => {
    const nobody: DueAccounts = { accounts: [], position: after, found: false }
    let due = nobody
    try {
      const outcomes = await timekeeper.decide(db, async (tx, lookNow) => {
        due = await holdDueAccounts(tx, clock.now(), after, limit, options)
        // What fails while the time is read, or mended after that, concerns none of them.
        const look = (): Promise<Look> =>
          lookNow().catch((error: unknown) => {
            due = nobody
            throw error
          })
        return due.accounts.length === 0 ? [] : settleHeld(tx, look, due.accounts)
      })
      for (const outcome of outcomes) announce(outcome)
      return { position: due.position, outcomes, unsettled: [], more: due.found }
    } catch (error) {
      if (!isRefusedByRows(error) || due.accounts.length === 0) throw error
      return { position: due.position, ...(await settleOneByOne(due.accounts)), more: true }
    }
  }

  async function settleOneByOne(accounts: readonly Account[]): Promise<Pick<DuePass, 'outcomes' | 'unsettled'>> {
    const outcomes: Outcome[] = []
    const unsettled: Unsettled[] = []
    for (const { sellerId } of accounts) {
      try {
        const settled = await timekeeper.decide(db, async (tx, lookNow) =>
          settleHeld(tx, lookNow, await lockAccounts(tx, [sellerId])),
        )
        for (const outcome of settled) announce(outcome)
        outcomes.push(...settled)
      } catch (error) {
        if (!isRefusedByRows(error)) throw error
        unsettled.push({ sellerId, why: error })
      }
      await turn()
    }
    return { outcomes, unsettled }
  }

  return { db, withSeller, readSeller, tallyOf, settleDue }
}

function settleAll(accounts: Account[], runs: LiveRun[], outages: Outage[], look: Look): Outcome[] {
  const runsOf = new Map<string, LiveRun[]>(accounts.map(({ sellerId }) => [sellerId, []]))
  for (const run of runs) runsOf.get(run.sellerId)?.push(run)
  return accounts.map((account) => {
    const live = runsOf.get(account.sellerId) ?? []
    return conclude(settle(account, live, outages, look.settleTo))
  })
}

/** The outages that can touch what is not settled yet of these runs, the open one last. */
async function outagesOf(tx: Db, runs: readonly LiveRun[], look: Look): Promise<Outage[]> {
  if (runs.length === 0) return []
  const since = Math.min(...runs.map((run) => Math.min(run.silentSince, nextIntervalAt(run))))
  const touched = look.lastOutageEnd !== null && look.lastOutageEnd >= since
  const closed = touched ? await outagesSince(tx, since) : []
  return look.openOutage ? [...closed, look.openOutage] : closed
}
