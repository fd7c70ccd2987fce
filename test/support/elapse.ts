import { insertStamp } from '../../server/store/stamps.js'
import type { TestServer } from './server.js'

/**
 * Moves the clock as if servers had stamped all the while, so that no outage opens (A5), and settles nobody. On a server
 * with `SWEEP_INTERVAL=off`, whatever is up to date after it was brought up to date by who asked.
 */
export async function elapse({ clock, database }: TestServer, ms: number): Promise<void> {
  await database.db.transaction().execute((tx) => insertStamp(tx, clock.now() + ms, 'another-server'))
  clock.advance(ms)
}
