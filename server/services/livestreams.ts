import { v7 as uuid } from 'uuid'
import type { EndAnswer, LivestreamView, StartAnswer } from '../../client-sdk/protocol/index.js'
import type { Clock } from '../clock.js'
import { end, start } from '../domain/acts.js'
import { endMessage } from '../domain/end-message.js'
import { permissionDenied, Refusal } from '../domain/errors.js'
import { toTimestamp, wholeMinutes } from '../domain/instant.js'
import { LONGEST_GAP_MS } from '../domain/outage.js'
import { type Policy, scaledPolicy } from '../domain/policy.js'
import { type EndedRun, type LiveRun, nextIntervalAt, type Run } from '../domain/run.js'
import { runOutOf, type Tally } from '../domain/tally.js'
import type { Db } from '../store/database.js'
import { findLivestream, insertLivestream, type Livestream } from '../store/livestreams.js'
import { lastRun, nextRunId, totalConsumed } from '../store/runs.js'
import { transact } from '../store/transact.js'
import type { Identity } from '../tokens.js'
import type { Metering } from './metering.js'
import type { Presence } from './presence.js'
import { livestreamView } from './views.js'

/** What the old route `check_credits` answers (SPEC.md, H). */
export type CheckAnswer =
  | {
      message: string
      livestream_ended: false
      remaining_credits: number
      credits_consumed: number
      time_until_next_deduction_minutes: number
      credit_deducted: number
      total_credits_consumed: number
    }
  | {
      message: string
      livestream_ended: true
      remaining_credits: number
      credits_consumed: number
      end_reason: EndedRun['endReason']
    }

export interface CreateRequest {
  readonly title: string
  readonly id?: string | undefined
  readonly sellerId?: string | undefined
}

/** One use case each; all but `create` settle the seller first (B11), and throw a Refusal with the code that says why not. */
export interface Livestreams {
  /** Makes a livestream, or finds the same seller's with this id. */
  create(request: CreateRequest, by: Identity): Promise<{ created: boolean; livestream: LivestreamView }>
  /** @param timeScale divides the times of the run's policy; more than 1 is refused outside development */
  start(id: string, by: Identity, timeScale?: number): Promise<StartAnswer>
  end(id: string, by: Identity): Promise<EndAnswer>
  /** Ends it for an operator, whoever's it is. */
  forceEnd(id: string, by: Identity, note?: string): Promise<EndAnswer>
  check(id: string, by: Identity): Promise<CheckAnswer>
}

export interface LivestreamsParts {
  readonly metering: Metering
  readonly presence: Presence
  readonly clock: Clock
  /** What the runs that start from now on are metered by. */
  readonly policy: Policy
  /** Whether runs may be started with a policy of seconds: in development only. */
  readonly timeScaleAllowed: boolean
}

/** A livestream by its id. @throws Refusal `livestream_not_found` */
export async function existingLivestream(db: Db, id: string): Promise<Livestream> {
  return existing(await findLivestream(db, id))
}

function existing(livestream: Livestream | null): Livestream {
  if (!livestream) throw new Refusal('livestream_not_found', 'Livestream not found')
  return livestream
}

/** A livestream of the seller who asks (E1). @throws Refusal `livestream_not_found`, `permission_denied` */
export async function ownLivestream(db: Db, id: string, by: Identity): Promise<Livestream> {
  return ownOf(await findLivestream(db, id), by)
}

/** The same of one that was looked for. */
export function ownOf(found: Livestream | null, by: Identity): Livestream {
  const livestream = existing(found)
  if (by.role !== 'seller' || by.sub !== livestream.sellerId) throw permissionDenied()
  return livestream
}

/** The refusal of what needs a live run; it names the last run, so that a client whose answer got lost knows its own (H1). */
export function notLive(last: Run | null): Refusal {
  const ended = last?.state === 'ended' ? { run_id: last.id, end_reason: last.endReason } : {}
  return new Refusal('livestream_not_live', 'Livestream is not currently live', ended)
}

export function createLivestreams({
  metering,
  presence,
  clock,
  policy,
  timeScaleAllowed,
}: LivestreamsParts): Livestreams {
  const { db } = metering

  async function create(request: CreateRequest, by: Identity): ReturnType<Livestreams['create']> {
    const sellerId = sellerOfNew(request, by)
    const wanted = { id: request.id ?? uuid(), sellerId, title: request.title, createdAt: clock.now() }
    const created = await transact(db, (tx) => insertLivestream(tx, wanted))
    const livestream = created ? wanted : await existingLivestream(db, wanted.id)
    if (livestream.sellerId !== sellerId) {
      throw new Refusal('livestream_id_taken', 'A livestream with this id belongs to another seller')
    }
    const view = await metering.readSeller(sellerId, async (tx, tally) => {
      const connected = await presence.connectedAmong([sellerId], tx)
      return livestreamView(livestream, await lastRunOf(tx, tally, livestream.id), tally, connected.has(sellerId))
    })
    return { created, livestream: view }
  }

  async function startRun(id: string, by: Identity, timeScale = 1): Promise<StartAnswer> {
    const { sellerId } = await ownLivestream(db, id, by)
    const runPolicy = policyAt(timeScale)
    return metering.withSeller(sellerId, async (tx, tally) => {
      const live = tally.live.find(({ run }) => run.livestreamId === id)
      if (live) throw new Refusal('livestream_already_live', 'Livestream is already live', { run_id: live.run.id })
      const run = start(tally, await nextRunId(tx), id, runPolicy)
      return {
        message: 'Livestream started successfully',
        remaining_credits: tally.balance,
        credits_consumed: run.creditsConsumed,
        run_id: run.id,
        started_at: toTimestamp(run.startedAt),
        next_deduction_at: toTimestamp(nextIntervalAt(run)),
        credits_run_out_at: toTimestamp(runOutOf(tally, run)),
      }
    })
  }

  function policyAt(timeScale: number): Policy {
    const refuse = (why: string) => new Refusal('invalid_request', `time_scale: ${why}`, { field: 'time_scale' })
    if (timeScale === 1) return policy
    if (!timeScaleAllowed) throw refuse('only a server in development takes it')
    const scaled = scaledPolicy(policy, timeScale)
    if (scaled.autoEndMs <= LONGEST_GAP_MS || scaled.autoEndMs <= scaled.warningMs || scaled.warningMs < 1) {
      throw refuse('too fast, the time to the automatic end must stay above 3 s')
    }
    return scaled
  }

  function endRun(livestream: Livestream, reason: 'seller' | 'operator', note?: string): Promise<EndAnswer> {
    return metering.withSeller(livestream.sellerId, async (tx, tally) => {
      const live = tally.live.find(({ run }) => run.livestreamId === livestream.id)
      const run = live ? end(tally, live.run.id, reason, note) : null
      if (!run) throw notLive(await lastRunOf(tx, tally, livestream.id))
      return {
        message: 'Livestream ended successfully',
        duration_minutes: wholeMinutes(run.endedAt - run.startedAt),
        credits_consumed: run.creditsConsumed,
        remaining_credits: tally.balance,
        run_id: run.id,
        end_reason: run.endReason,
      }
    })
  }

  async function check(id: string, by: Identity): Promise<CheckAnswer> {
    const { sellerId } = await ownLivestream(db, id, by)
    return metering.readSeller(sellerId, async (tx, tally, settled) => {
      const run = await lastRunOf(tx, tally, id)
      if (!run) throw notLive(null)
      if (run.state === 'ended') {
        return {
          message: endMessage(run.endReason),
          livestream_ended: true,
          remaining_credits: tally.balance,
          credits_consumed: run.creditsConsumed,
          end_reason: run.endReason,
        }
      }
      return {
        message: 'Credits checked successfully',
        livestream_ended: false,
        remaining_credits: tally.balance,
        credits_consumed: run.creditsConsumed,
        time_until_next_deduction_minutes: wholeMinutes(nextIntervalAt(run) - tally.now),
        credit_deducted: settled.filter(({ interval }) => interval?.runId === run.id).length,
        total_credits_consumed: await totalConsumed(tx, id),
      }
    })
  }

  return {
    create,
    start: startRun,
    end: async (id, by) => endRun(await ownLivestream(db, id, by), 'seller'),
    async forceEnd(id, by, note) {
      if (by.role !== 'operator') throw permissionDenied()
      return endRun(await existingLivestream(db, id), 'operator', note)
    },
    check,
  }
}

/** The run of a livestream that is live in this tally. */
export function liveRunOf(tally: Tally, livestreamId: string): LiveRun | null {
  return tally.live.find(({ run }) => run.livestreamId === livestreamId)?.run ?? null
}

/** The current or last run of a livestream as this tally has it, or as it stands in the database. */
export async function lastRunOf(tx: Db, tally: Tally, livestreamId: string): Promise<Run | null> {
  const ended = tally.ended.find(({ run }) => run.livestreamId === livestreamId)
  return liveRunOf(tally, livestreamId) ?? ended?.run ?? (await lastRun(tx, livestreamId))
}

/** Whose a new livestream is: a seller's own, or whom a service names. For a seller no id in a body overrides the token. */
function sellerOfNew({ id, sellerId }: CreateRequest, by: Identity): string {
  if (by.role === 'seller') {
    if (sellerId !== undefined && sellerId !== by.sub) throw permissionDenied()
    if (id !== undefined) {
      throw new Refusal('invalid_request', 'id: only a service chooses the id, leave it out', { field: 'id' })
    }
    return by.sub
  }
  if (by.role !== 'service') throw permissionDenied()
  if (sellerId === undefined) {
    throw new Refusal('invalid_request', 'seller_id: a service names the seller', { field: 'seller_id' })
  }
  return sellerId
}
