import type { Role } from '../../client-sdk/protocol/index.js'
import type { Instant } from '../../server/domain/instant.js'
import type { Policy } from '../../server/domain/policy.js'
import { moveSellerCredits } from '../../server/services/credits.js'
import { createHeartbeats } from '../../server/services/heartbeats.js'
import { createLivestreams } from '../../server/services/livestreams.js'
import { createMetering } from '../../server/services/metering.js'
import { createPresence } from '../../server/services/presence.js'
import { sweepOnce } from '../../server/services/sweep.js'
import { commandTimekeeper, serverTimekeeper } from '../../server/services/timekeeper.js'
import type { Database } from '../../server/store/database.js'
import type { Identity } from '../../server/tokens.js'
import { SILENT_LOG } from './fresh-database.js'
import { type HandClock, handClock } from './hand-clock.js'
import { recordHeartbeat } from './record-heartbeat.js'

/** The services on a real database, without a server: what sellers, operators, commands and time do to it. */
export interface MeteredWorld {
  readonly clock: HandClock
  create(seller: string, livestream: string): Promise<void>
  /** Grants credits, or takes some away where the amount is negative. */
  move(seller: string, amount: number): Promise<void>
  /** Gives the newest deduction of a livestream back, as an operator would. */
  refundNewest(livestream: string): Promise<void>
  start(seller: string, livestream: string): Promise<void>
  beat(seller: string, livestream: string): Promise<void>
  end(seller: string, livestream: string): Promise<void>
  forceEnd(livestream: string): Promise<void>
  /** Lets time pass with a server that stamps and sweeps; those in `alive` send heartbeats, sellers by livestream. */
  pass(ms: number, alive?: Readonly<Record<string, string>>): Promise<void>
  /** Lets time pass without a server: an outage where it is more than 3 s (A5), which the next stamp closes. */
  vanish(ms: number): void
  /** One pass of `monitor_credits`, which never stamps. */
  monitor(): Promise<void>
}

/** How often servers stamp here: less than 3 s, so that it makes no outage. */
const STAMP_MS = 2_000

/** @param database migrated, and used by nobody else meanwhile */
export async function meteredWorld(
  { db }: Pick<Database, 'db'>,
  policy: Policy,
  beginsAt?: Instant,
): Promise<MeteredWorld> {
  const clock = handClock(beginsAt)
  const log = SILENT_LOG
  const timekeeper = serverTimekeeper(clock, 'server')
  const announce = () => undefined
  const metering = createMetering({ db, clock, timekeeper, announce })
  const command = createMetering({ db, clock, timekeeper: commandTimekeeper(clock), announce })
  const presence = createPresence(db, clock, 'server', log)
  const livestreams = createLivestreams({ metering, presence, clock, policy, timeScaleAllowed: false })
  const heartbeats = createHeartbeats({ metering, clock, timekeeper, log, onRecorded: announce })
  let keys = 0
  await timekeeper.stamp(db)

  async function move(sellerId: string, amount: number, corrects?: number): Promise<void> {
    keys += 1
    const request = { sellerId, amount, idempotencyKey: `key ${keys}`, reason: 'a test', corrects }
    await moveSellerCredits(metering, policy, request)
  }

  async function beat(seller: string, livestream: string): Promise<void> {
    await recordHeartbeat(heartbeats, livestream, identity(seller))
  }

  return {
    clock,
    async create(seller, livestream) {
      await livestreams.create({ title: livestream, id: livestream, sellerId: seller }, identity('host', 'service'))
    },
    move: (seller, amount) => move(seller, amount),
    async refundNewest(livestream) {
      const newest = await db
        .selectFrom('ledger_entries')
        .select(['id', 'seller_id'])
        .where('livestream_id', '=', livestream)
        .where('kind', '=', 'deduction')
        .orderBy('id', 'desc')
        .executeTakeFirstOrThrow()
      await move(newest.seller_id, 1, newest.id)
    },
    async start(seller, livestream) {
      await livestreams.start(livestream, identity(seller))
    },
    beat,
    async end(seller, livestream) {
      await livestreams.end(livestream, identity(seller))
    },
    async forceEnd(livestream) {
      await livestreams.forceEnd(livestream, identity('operator', 'operator'), 'a test')
    },
    async pass(ms, alive = {}) {
      for (let left = ms; left > 0; left -= STAMP_MS) {
        clock.advance(Math.min(left, STAMP_MS))
        await timekeeper.stamp(db)
        await sweepOnce(metering, clock)
        for (const [livestream, seller] of Object.entries(alive)) await beat(seller, livestream)
      }
    },
    vanish: (ms) => clock.advance(ms),
    monitor: () => sweepOnce(command, clock),
  }
}

function identity(sub: string, role: Role = 'seller'): Identity {
  return { sub, role, expiresAt: Number.MAX_SAFE_INTEGER }
}
