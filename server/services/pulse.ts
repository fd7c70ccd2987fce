import { uptimeMs } from '../clock.js'
import { MINUTE_MS, SECOND_MS } from '../domain/instant.js'
import type { Log } from '../log.js'
import { dropStaleConnections } from '../store/connections.js'
import type { Db } from '../store/database.js'
import { pruneStamps } from '../store/stamps.js'
import { type Loop, startLoop } from './loop.js'
import type { Timekeeper } from './timekeeper.js'

export interface PulseParts {
  readonly db: Db
  readonly timekeeper: Timekeeper
  readonly log: Log
  /** What else is done every second, after the stamp. */
  readonly also: () => Promise<void>
}

/** Stamps the database once: a server's sign of life, before it accepts anybody (A5). */
export async function stamp({ db, timekeeper }: Pick<PulseParts, 'db' | 'timekeeper'>): Promise<void> {
  await db.transaction().execute((tx) => timekeeper.look(tx))
}

/** Stamps every second (A5), and once a minute drops what old stamps left behind. */
export function startPulse(parts: PulseParts): Loop {
  const { db, timekeeper, log, also } = parts
  let tidiedAt = 0
  return startLoop(
    'pulse',
    async () => {
      const startedAt = uptimeMs()
      await db.transaction().execute(async (tx) => {
        const { actAt } = await timekeeper.look(tx)
        if (Math.abs(actAt - tidiedAt) < MINUTE_MS) return
        tidiedAt = actAt
        await pruneStamps(tx, actAt - MINUTE_MS)
        await dropStaleConnections(tx, actAt - MINUTE_MS)
      })
      await also()
      // A second from beginning to beginning, so that slow work does not stretch towards an outage.
      return Math.min(SECOND_MS, Math.max(0, SECOND_MS - (uptimeMs() - startedAt)))
    },
    SECOND_MS,
    log,
  )
}
