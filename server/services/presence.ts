import type { Clock } from '../clock.js'
import { LONGEST_GAP_MS } from '../domain/outage.js'
import type { Log } from '../log.js'
import { connectedSellers, saveConnections } from '../store/connections.js'
import type { Db } from '../store/database.js'
import { transact } from '../store/transact.js'

/** Which sellers hold a socket now: on this server by count, on others as they wrote it, while their stamps are fresh (N). */
export interface Presence {
  joined(sellerId: string): void
  left(sellerId: string): void
  /** @param within the transaction to read in, where one is open */
  connectedAmong(sellerIds: readonly string[], within?: Db): Promise<Set<string>>
  /** Sockets on this server. */
  socketCount(): number
  /** Writes what has changed since the last time; called once a second. */
  save(): Promise<void>
}

export function createPresence(db: Db, clock: Clock, serverId: string, log: Log): Presence {
  const held = new Map<string, number>()
  let changed = new Set<string>()
  let sockets = 0

  function add(sellerId: string, change: 1 | -1): void {
    sockets += change
    const count = (held.get(sellerId) ?? 0) + change
    if (count > 0) held.set(sellerId, count)
    else held.delete(sellerId)
    changed.add(sellerId)
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
      if (changed.size === 0) return
      const counts = new Map([...changed].map((sellerId) => [sellerId, held.get(sellerId) ?? 0]))
      changed = new Set()
      try {
        await transact(db, (tx) => saveConnections(tx, serverId, counts))
      } catch (error) {
        // Tried again with the next change set: presence is shown, never billed by.
        for (const sellerId of counts.keys()) changed.add(sellerId)
        log.warn({ err: error }, 'presence could not be written')
      }
    },
  }
}
