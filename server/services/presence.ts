import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../clock.js'
import { MINUTE_MS } from '../domain/instant.js'
import { LONGEST_GAP_MS } from '../domain/outage.js'
import type { Log } from '../log.js'
import { connectedSellers, forgetConnections, saveConnections } from '../store/connections.js'
import type { Db } from '../store/database.js'
import { anotherStamped } from '../store/stamps.js'
import { transact } from '../store/transact.js'

/** Which sellers hold a socket now: on this server by count, on others as they wrote it, while their stamps are fresh (N). */
export interface Presence {
  joined(sellerId: string): void
  left(sellerId: string): void
  /** @param within the transaction to read in, where one is open */
  connectedAmong(sellerIds: readonly string[], within?: Db): Promise<Set<string>>
  /** Sockets on this server. */
  socketCount(): number
  /** Writes what has changed since the last time, where another server stamps: nobody else reads it. Called once a second. */
  save(): Promise<void>
}

/** Sellers in one transaction: on SQLite it holds the event loop. */
const MOST_AT_ONCE = 1_000

export function createPresence(db: Db, clock: Clock, serverId: string, log: Log): Presence {
  const held = new Map<string, number>()
  const changed = new Set<string>()
  /** Whether what is held is written, but for what has changed; where it is not, nothing of this server is. */
  let isWritten = false
  let sockets = 0

  function add(sellerId: string, change: 1 | -1): void {
    sockets += change
    const count = (held.get(sellerId) ?? 0) + change
    if (count > 0) held.set(sellerId, count)
    else held.delete(sellerId)
    if (isWritten) changed.add(sellerId)
  }

  async function write(): Promise<void> {
    if (!isWritten) for (const sellerId of held.keys()) changed.add(sellerId)
    isWritten = true
    const waiting = [...changed]
    for (let from = 0; from < waiting.length; from += MOST_AT_ONCE) {
      const sellerIds = waiting.slice(from, from + MOST_AT_ONCE)
      const counts = new Map(sellerIds.map((sellerId) => [sellerId, held.get(sellerId) ?? 0]))
      for (const sellerId of sellerIds) changed.delete(sellerId)
      try {
        await transact(db, (tx) => saveConnections(tx, serverId, counts))
      } catch (error) {
        for (const sellerId of sellerIds) changed.add(sellerId)
        throw error
      }
      await turn()
    }
  }

  async function forget(): Promise<void> {
    if (isWritten) await transact(db, (tx) => forgetConnections(tx, serverId))
    isWritten = false
    changed.clear()
  }

  return {
    joined: (sellerId) => add(sellerId, 1),
    left: (sellerId) => add(sellerId, -1),
    socketCount: () => sockets,
    async connectedAmong(sellerIds, within = db) {
      const others = sellerIds.filter((sellerId) => !held.has(sellerId))
      if (others.length === 0) return new Set(sellerIds)
      const elsewhere = await connectedSellers(within, others, serverId, clock.now() - LONGEST_GAP_MS)
      return new Set(sellerIds.filter((sellerId) => held.has(sellerId) || elsewhere.has(sellerId)))
    },
    async save() {
      try {
        // One that stalls for a moment is no reason to forget everything and write it again.
        const since = clock.now() - (isWritten ? MINUTE_MS : LONGEST_GAP_MS)
        if (await anotherStamped(db, serverId, since)) await write()
        else await forget()
      } catch (error) {
        // Tried again with the next change set: presence is shown, never billed by.
        log.warn({ err: error }, 'presence could not be written')
      }
    },
  }
}
