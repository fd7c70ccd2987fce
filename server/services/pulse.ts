import { uptimeMs } from '../clock.js'
import { MINUTE_MS, SECOND_MS } from '../domain/instant.js'
import type { Log } from '../log.js'
import { dropStaleConnections } from '../store/connections.js'
import type { Db } from '../store/database.js'
import { pruneStamps } from '../store/stamps.js'
import { transact } from '../store/transact.js'
import { type Loop, startLoop } from './loop.js'
import type { ServerTimekeeper } from './timekeeper.js'

export interface PulseParts {
  readonly db: Db
  readonly timekeeper: ServerTimekeeper
  readonly log: Log
  /** What else is done every second, after the stamp. */
  readonly also: () => Promise<void>
}

/** Stamps every second (A5), and once a minute drops what old stamps left behind. */
export function startPulse(parts: PulseParts): Loop {
  const { db, timekeeper, log, also } = parts
  let tidiedAt = 0
  return startLoop(
    'pulse',
    async () => {
      const startedAt = uptimeMs()
      const now = await timekeeper.stamp(db)
      if (Math.abs(now - tidiedAt) >= MINUTE_MS) {
        tidiedAt = now
        await transact(db, async (tx) => {
          await pruneStamps(tx, now - MINUTE_MS)
          await dropStaleConnections(tx, now - MINUTE_MS)
        })
      }
      await also()
      // A second from beginning to beginning, so that slow work does not stretch towards an outage.
      return Math.min(SECOND_MS, Math.max(0, SECOND_MS - (uptimeMs() - startedAt)))
    },
    SECOND_MS,
    log,
  )
}
