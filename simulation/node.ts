import type { Role } from '../client-sdk/protocol/index.js'
import type { Clock } from '../server/clock.js'
import type { Outcome } from '../server/domain/outcome.js'
import type { Policy } from '../server/domain/policy.js'
import { createLog } from '../server/log.js'
import { type MoveRequest, moveSellerCredits } from '../server/services/credits.js'
import { createHeartbeats, type Heartbeats } from '../server/services/heartbeats.js'
import { createLivestreams, type Livestreams } from '../server/services/livestreams.js'
import { createMetering } from '../server/services/metering.js'
import { createPresence } from '../server/services/presence.js'
import { sweepOnce } from '../server/services/sweep.js'
import { commandTimekeeper, serverTimekeeper, type Timekeeper } from '../server/services/timekeeper.js'
import type { Database } from '../server/store/database.js'
import { insertStamp } from '../server/store/stamps.js'
import type { Identity } from '../server/tokens.js'
import { crashingDb } from './crashes.js'

// The only file that joins parts of the server.

type Move = (request: Omit<MoveRequest, 'sellerId'> & { sellerId: string }) => ReturnType<typeof moveSellerCredits>

/** A server process as far as the rules know it: without doors. */
export interface Node {
  readonly policy: Policy
  readonly heartbeats: Heartbeats
  readonly livestreams: Livestreams
  readonly move: Move
  /** What its pulse does every second (A5). */
  pulse(): Promise<void>
  /** A stamp that is known to follow the last one closely: of pulses, only the newest matters. */
  stampAt(at: number): Promise<void>
  sweep(): Promise<void>
  crashAfter(statements: number | null): void
  close(): Promise<void>
}

/** What commands do beside the servers: `monitor_credits` and `grant`. They never stamp (A5). */
export interface Commands {
  monitor(): Promise<void>
  /** @throws StillWaiting where it has to wait for the next stamp; nothing has happened then */
  readonly move: Move
  crashAfter(statements: number | null): void
  close(): Promise<void>
}

/** A command waits in real time for a stamp that comes in the time of the world: so it is sent away, and asked again. */
export class StillWaiting extends Error {
  override readonly name = 'StillWaiting'
}

const LOG = createLog({ level: 'silent', pretty: false })
const nothing = () => undefined

/** Hears of what was written about a seller, once it is committed. */
export type OnOutcome = (outcome: Pick<Outcome, 'sellerId' | 'events'>) => void

/** Whoever says so: nobody checks tokens here. */
export function identity(sub: string, role: Role = 'seller'): Identity {
  return { sub, role, expiresAt: Number.MAX_SAFE_INTEGER }
}

/** Makes a node. Like a server, it stamps before it hears anybody: call `pulse` first. */
export function makeNode(
  database: Database,
  clock: Clock,
  serverId: string,
  policy: Policy,
  onOutcome: OnOutcome,
): Node {
  const { db, crashAfter } = crashingDb(database.db)
  const timekeeper = serverTimekeeper(clock, serverId)
  const metering = createMetering({ db, clock, timekeeper, announce: onOutcome })
  const presence = createPresence(db, clock, serverId, LOG)
  return {
    policy,
    heartbeats: createHeartbeats({ metering, clock, timekeeper, log: LOG, onRecorded: nothing }),
    livestreams: createLivestreams({ metering, presence, clock, policy, timeScaleAllowed: true }),
    move: (request) => moveSellerCredits(metering, policy, request),
    async pulse() {
      await timekeeper.stamp(db)
    },
    stampAt: (at) => insertStamp(db, at, serverId),
    sweep: () => sweepOnce(metering, clock),
    crashAfter,
    close: () => database.close(),
  }
}

export function makeCommands(database: Database, clock: Clock, policy: Policy, onOutcome: OnOutcome): Commands {
  const { db, crashAfter } = crashingDb(database.db)
  const timekeeper = commandTimekeeper(clock)
  let decisions = 0
  const once: Timekeeper = {
    async decide(of, work) {
      decisions += 1
      if (decisions > 1) throw new StillWaiting('waits for a stamp')
      return timekeeper.decide(of, work)
    },
  }
  const monitoring = createMetering({ db, clock, timekeeper, announce: onOutcome })
  const granting = createMetering({ db, clock, timekeeper: once, announce: onOutcome })
  return {
    monitor: () => sweepOnce(monitoring, clock),
    move(request) {
      decisions = 0
      return moveSellerCredits(granting, policy, request)
    },
    crashAfter,
    close: () => database.close(),
  }
}
