import { v7 as uuid } from 'uuid'
import type { Clock } from './clock.js'
import type { Config } from './config.js'
import { withDevSecret } from './dev-secret.js'
import type { Outcome } from './domain/outcome.js'
import { dueAt } from './domain/run.js'
import type { Log } from './log.js'
import { moveSellerCredits } from './services/credits.js'
import { createDispatch } from './services/dispatch.js'
import { createHeartbeats } from './services/heartbeats.js'
import { createJournal } from './services/journal.js'
import { createLivestreams } from './services/livestreams.js'
import { createLookups } from './services/lookups.js'
import type { Loop } from './services/loop.js'
import { createMetering } from './services/metering.js'
import { createMetrics } from './services/metrics.js'
import { createPresence } from './services/presence.js'
import { startPulse } from './services/pulse.js'
import { createReadiness } from './services/readiness.js'
import { clockOf } from './services/shared-clock.js'
import { createSnapshots } from './services/snapshots.js'
import { type Sweep, startSweep, sweepOnce } from './services/sweep.js'
import { serverTimekeeper } from './services/timekeeper.js'
import { openDatabase } from './store/database.js'
import { migrate } from './store/migrate.js'
import { reachDatabase } from './store/reach.js'
import { countLiveRuns } from './store/runs.js'
import { createTokens, type Tokens } from './tokens.js'
import { createHttpServer } from './transport/http-server.js'
import { createRest } from './transport/rest/rest.js'
import type { Services } from './transport/services.js'
import { joinNodes, type Nodes } from './transport/socket/nodes.js'
import { createSocketServer, type SocketServer } from './transport/socket/socket-server.js'

/** How long a server that starts waits for its database: what starts beside it may need a while. */
const REACH_WITHIN_MS = 60_000

export interface AppParts {
  readonly clock: Clock
  readonly log: Log
  /** Whether tests move the clock: then PostgreSQL's own does not count. */
  readonly isClockMovedByHand?: boolean
}

export interface App {
  /** Where it listens, as a base URL. */
  readonly url: string
  /** The database's name, without a password. */
  readonly database: string
  readonly tokens: Tokens
  /** One pass of the sweep, now. */
  sweep(): Promise<void>
  /** Stops gracefully: takes nothing new, tells the sockets, finishes what is under way, writes what is pending, closes. */
  stop(): Promise<void>
}

/**
 * The composition root: opens the database and brings it up to date, joins the parts, stamps, and listens.
 * @throws SetupError with what to do, where the database or the port cannot be had
 */
export async function startApp(config: Config, parts: AppParts): Promise<App> {
  const { log } = parts
  const database = openDatabase(config.database)
  let nodes: Nodes | null = null
  let sockets: SocketServer | null = null
  const { db } = database
  try {
    const serverId = uuid()
    await reachDatabase(database, REACH_WITHIN_MS, (why) => {
      log.warn(
        { database: database.name, why },
        `the database does not answer yet, waiting for ${REACH_WITHIN_MS / 1_000} s`,
      )
    })
    for (const name of await migrate(db)) log.info({ migration: name }, 'database migrated')
    const clock = parts.isClockMovedByHand ? parts.clock : await clockOf(database, parts.clock)
    const timekeeper = serverTimekeeper(clock, serverId)
    const tokens = createTokens(withDevSecret(config.keys, config.database), clock)
    const { policy, sweepIntervalMs } = config
    let sweep: Sweep | null = null

    const presence = createPresence(db, clock, serverId, log)
    const metrics = createMetrics({ liveRuns: () => countLiveRuns(db), sockets: presence.socketCount })
    const dispatch = createDispatch(database, log)
    const journal = createJournal(log)
    let nudge: (sellerId: string, seq: number) => void = () => undefined
    const announce = (outcome: Outcome): void => {
      dispatch.push(outcome)
      if (outcome.events.length > 0) nudge(outcome.sellerId, outcome.lastSeq)
      journal(outcome)
      metrics.observe(outcome)
      for (const run of outcome.runs) if (run.state === 'live') sweep?.expect(dueAt(run))
    }
    const metering = createMetering({ db, clock, timekeeper, announce })
    const heartbeats = createHeartbeats({ metering, clock, timekeeper, log, onRecorded: metrics.heartbeats })
    const readiness = createReadiness(db)
    const services: Services = {
      tokens,
      metrics,
      heartbeats,
      livestreams: createLivestreams({ metering, presence, clock, policy, timeScaleAllowed: !config.production }),
      lookups: createLookups({ metering, presence, clock, sweepIntervalMs }),
      snapshots: createSnapshots(metering, presence, policy),
      moveCredits: (request) => moveSellerCredits(metering, policy, request),
      readiness: readiness.check,
    }

    const server = createHttpServer(
      createRest(services, { corsOrigins: config.corsOrigins, development: isOpenToAnybody(config), log }),
    )
    const joined = await joinNodes(config.database, config.redisUrl, log)
    const { corsOrigins } = config
    nodes = joined
    const door = createSocketServer(server.http, { services, dispatch, presence, clock, log, corsOrigins }, joined)
    sockets = door
    nudge = door.nudge

    // A5: stamped before anybody is accepted, so that the time without a server is an outage and ends no run.
    await timekeeper.stamp(db)
    const url = await server.listen(config.host, config.port)
    const loops: Loop[] = [
      startPulse({
        db,
        timekeeper,
        log,
        also: async () => {
          await presence.save()
          await dispatch.lookForMissed()
        },
      }),
    ]
    if (sweepIntervalMs !== null) {
      sweep = startSweep(metering, clock, sweepIntervalMs, log, heartbeats.isBusy)
      loops.push(sweep)
    }

    return {
      url,
      database: database.name,
      tokens,
      sweep: () => sweepOnce(metering, clock),
      async stop() {
        readiness.drain()
        await door.drain()
        const closed = door.close()
        server.dropUnused()
        await closed
        await heartbeats.drained()
        await Promise.all(loops.map((loop) => loop.stop()))
        await presence.save()
        await joined.close()
        await database.close()
      },
    }
  } catch (error) {
    // What speaks to other servers would hold the process.
    await sockets?.close().catch(() => undefined)
    await nodes?.close()
    await database.close()
    throw error
  }
}

/** Whether this is a newcomer's own server: nothing configured that a real application would need, and nobody else near. */
function isOpenToAnybody({ production, keys, host }: Config): boolean {
  return !production && keys.kind === 'dev_secret' && ['127.0.0.1', '::1', 'localhost'].includes(host)
}
