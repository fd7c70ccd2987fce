import { createSecretKey } from 'node:crypto'
import type { Clock } from '../server/clock.js'
import type { Outcome } from '../server/domain/outcome.js'
import type { Policy } from '../server/domain/policy.js'
import type { Log } from '../server/log.js'
import { createDispatch } from '../server/services/dispatch.js'
import { createHeartbeats } from '../server/services/heartbeats.js'
import { createLivestreams } from '../server/services/livestreams.js'
import { createMetering, type Metering } from '../server/services/metering.js'
import { createPresence } from '../server/services/presence.js'
import { createSnapshots } from '../server/services/snapshots.js'
import type { ServerTimekeeper } from '../server/services/timekeeper.js'
import type { Database } from '../server/store/database.js'
import { createTokens } from '../server/tokens.js'
import { createHttpServer } from '../server/transport/http-server.js'
import { joinNodes } from '../server/transport/socket/nodes.js'
import { createSocketServer } from '../server/transport/socket/socket-server.js'
import { SECRET } from './servers.js'

export interface SocketDoorParts {
  readonly database: Database
  readonly clock: Clock
  readonly timekeeper: ServerTimekeeper
  readonly policy: Policy
  readonly redisUrl: string | null
  readonly log: Log
  /** Hears of each outcome that `metering` has committed, before it is pushed. */
  readonly onCommitted?: (outcome: Outcome) => void
}

export interface SocketDoor {
  readonly url: string
  /** Pushes what it commits. */
  readonly metering: Metering
  /** Pushes what was committed by other ways: to the sockets here, and a word to the other servers. */
  push(outcome: Outcome): void
  close(): Promise<void>
}

/** Our sockets in this process, joined as server/app.ts joins them, where a benchmark has to say itself when an event is pushed. */
export async function openSocketDoor({
  database,
  clock,
  timekeeper,
  policy,
  redisUrl,
  log,
  onCommitted = () => undefined,
}: SocketDoorParts): Promise<SocketDoor> {
  const { db } = database
  const dispatch = createDispatch(database, log)
  const presence = createPresence(db, clock, 'bench', log)
  const announce = (outcome: Outcome): void => {
    onCommitted(outcome)
    push(outcome)
  }
  const metering = createMetering({ db, clock, timekeeper, announce })
  const services = {
    tokens: createTokens(
      {
        kind: 'secret',
        key: createSecretKey(Buffer.from(SECRET)),
        algorithms: ['HS256'],
        issuer: null,
        audience: null,
      },
      clock,
    ),
    heartbeats: createHeartbeats({ metering, clock, timekeeper, log, onRecorded: () => undefined }),
    livestreams: createLivestreams({ metering, presence, clock, policy, timeScaleAllowed: false }),
    snapshots: createSnapshots(metering, presence, policy),
  }
  const server = createHttpServer((_req, res) => res.writeHead(404).end())
  const nodes = await joinNodes({ kind: 'sqlite', file: database.name }, redisUrl, log)
  const sockets = createSocketServer(server.http, { services, dispatch, presence, clock, log, corsOrigins: [] }, nodes)

  function push(outcome: Outcome): void {
    dispatch.push(outcome)
    sockets.nudge(outcome.sellerId, outcome.lastSeq)
  }

  return {
    url: await server.listen('127.0.0.1', 0),
    metering,
    push,
    async close() {
      await sockets.close()
      await nodes.close()
    },
  }
}
