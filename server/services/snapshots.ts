import { PROTOCOL_VERSION, type SellerEvent, type Snapshot } from '../../client-sdk/protocol/index.js'
import { toTimestamp } from '../domain/instant.js'
import type { Policy } from '../domain/policy.js'
import type { Run } from '../domain/run.js'
import type { Tally } from '../domain/tally.js'
import type { Db } from '../store/database.js'
import { eventsAfter, type StoredEvent } from '../store/events.js'
import type { Livestream } from '../store/livestreams.js'
import type { Identity } from '../tokens.js'
import { lastRunOf, liveRunOf, ownOf } from './livestreams.js'
import type { Metering } from './metering.js'
import type { Presence } from './presence.js'
import { livestreamView, policyView } from './views.js'

/** Past this many missed events, a snapshot stands for them (V3). */
const MOST_REPLAYED = 1_000

/** A seller's events past a sequence, as a page that cannot hold a socket reads them. */
export interface EventPage {
  readonly items: SellerEvent[]
  /** The seller's newest sequence. */
  readonly seq: number
  /** True where events past `after` are no longer kept, or `after` is from another history. */
  readonly reset: boolean
}

export interface Snapshots {
  /**
   * A livestream and its seller's sequence, read in one transaction (V3).
   * @param after the last sequence that the client has seen, if it has seen any
   * @throws Refusal `livestream_not_found`, `permission_denied`
   */
  snapshot(livestreamId: string, by: Identity, after?: number): Promise<Snapshot>
  /** The seller's events past `after`, at most `limit`. */
  events(sellerId: string, after: number, limit: number): Promise<EventPage>
}

export function createSnapshots(metering: Metering, presence: Presence, policy: Policy): Snapshots {
  async function told(
    from: Db,
    livestream: Livestream,
    tally: Tally,
    run: Run | null,
    reset: boolean,
  ): Promise<Snapshot> {
    const { sellerId } = livestream
    const connected = (await presence.connectedAmong([sellerId], from)).has(sellerId)
    return {
      seq: tally.account.lastSeq,
      reset,
      server_time: toTimestamp(tally.now),
      protocol_version: PROTOCOL_VERSION,
      livestream: livestreamView(livestream, run, tally, connected),
      remaining_credits: tally.balance,
      policy: policyView(run?.state === 'live' ? run.policy : policy),
    }
  }

  return {
    async snapshot(livestreamId, by, after) {
      const { tally: now, livestream: found } = await metering.tallyOf(by.sub, livestreamId)
      const livestream = ownOf(found, by)
      const live = liveRunOf(now, livestreamId)
      const missedNothing = after === undefined || after === now.account.lastSeq
      // Of a live run of which nothing was missed, that one statement tells everything: no transaction is needed.
      if (live && missedNothing) return told(metering.db, livestream, now, live, false)
      return metering.readSeller(by.sub, async (tx, tally) => {
        const { lastSeq } = tally.account
        const reset =
          after !== undefined &&
          (lastSeq - after > MOST_REPLAYED || isLost(after, lastSeq, await eventsAfter(tx, by.sub, after, 1)))
        return told(tx, livestream, tally, await lastRunOf(tx, tally, livestreamId), reset)
      })
    },
    async events(sellerId, after, limit) {
      return metering.readSeller(sellerId, async (tx, tally) => {
        const { lastSeq } = tally.account
        const next = await eventsAfter(tx, sellerId, after, limit)
        const reset = isLost(after, lastSeq, next)
        const items = (reset ? [] : next).map(({ kind, payload }) => ({ event: kind, ...payload }) as SellerEvent)
        return { items, seq: lastSeq, reset }
      })
    },
  }
}

/**
 * Whether events past `after` are no longer kept, or never were: the client speaks of another history.
 * @param next those past it that there are, the first at least
 */
function isLost(after: number, lastSeq: number, next: readonly StoredEvent[]): boolean {
  return after > lastSeq || (after < lastSeq && next[0]?.seq !== after + 1)
}
