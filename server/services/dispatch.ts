import type { EventKind } from '../../client-sdk/protocol/index.js'
import type { Outcome } from '../domain/outcome.js'
import type { Log } from '../log.js'
import { loadAccounts } from '../store/accounts.js'
import type { Database } from '../store/database.js'
import { eventsAfter } from '../store/events.js'

/** One socket, as the dispatch sees it: it has been sent everything up to its cursor (V3). */
export interface Subscriber {
  /** `UNKNOWN_YET` until it is known where the socket begins: nothing is past it, so nothing is sent. */
  cursor: number
  readonly send: (kind: EventKind, payload: object) => void
}

/** Sends each seller's events to the seller's sockets on this server, in order and without gaps (V3). */
export interface Dispatch {
  /**
   * From now on the subscriber is sent what is past its cursor, as it is written. What was there already, or came while
   * the cursor was unknown, is sent by the next `catchUp`.
   */
  join(sellerId: string, subscriber: Subscriber): void
  leave(sellerId: string, subscriber: Subscriber): void
  /** Pushes what a transaction of this process wrote. */
  push(outcome: Outcome): void
  /** Sends what the seller's sockets lack up to a sequence; resolves when it is sent. */
  catchUp(sellerId: string, seq: number): Promise<void>
  /** Finds events of the connected sellers that nobody pushed: written by a command, or by a server that died. */
  lookForMissed(): Promise<void>
}

interface Channel {
  readonly subscribers: Set<Subscriber>
  /** The newest sequence that this process knows of. */
  known: number
  pumping: Promise<void> | null
}

const PAGE = 500
export const UNKNOWN_YET = Number.POSITIVE_INFINITY

export function createDispatch({ db, changeMark }: Database, log: Log): Dispatch {
  const channels = new Map<string, Channel>()
  let seenMark = -1

  function join(sellerId: string, subscriber: Subscriber): void {
    const channel = channels.get(sellerId) ?? { subscribers: new Set(), known: 0, pumping: null }
    channels.set(sellerId, channel)
    channel.subscribers.add(subscriber)
  }

  function leave(sellerId: string, subscriber: Subscriber): void {
    const channel = channels.get(sellerId)
    channel?.subscribers.delete(subscriber)
    if (channel?.subscribers.size === 0) channels.delete(sellerId)
  }

  function push({ sellerId, events, lastSeq }: Outcome): void {
    const channel = channels.get(sellerId)
    if (!channel || events.length === 0) return
    if (channel.pumping || !areAllAt(channel, lastSeq - events.length)) {
      catchUp(sellerId, lastSeq).catch((error: unknown) => {
        log.error({ err: error, seller: sellerId }, 'events could not be read, trying again within a second')
        seenMark = -1
      })
      return
    }
    channel.known = Math.max(channel.known, lastSeq)
    for (const { kind, payload } of events)
      for (const subscriber of channel.subscribers) deliver(subscriber, payload.seq, kind, payload)
  }

  function catchUp(sellerId: string, seq: number): Promise<void> {
    const channel = channels.get(sellerId)
    if (!channel) return Promise.resolve()
    channel.known = Math.max(channel.known, seq)
    if (!channel.pumping && lacksEvents(channel)) channel.pumping = pump(sellerId, channel)
    return channel.pumping ?? Promise.resolve()
  }

  /** The one reader of a channel: whatever asks meanwhile only moves `known`. */
  async function pump(sellerId: string, channel: Channel): Promise<void> {
    try {
      while (lacksEvents(channel)) {
        const from = lowestCursor(channel)
        for (const { seq, kind, payload } of await eventsAfter(db, sellerId, from, PAGE)) {
          channel.known = Math.max(channel.known, seq)
          for (const subscriber of channel.subscribers) deliver(subscriber, seq, kind, payload)
        }
        // What comes next is not there, or no longer kept: reading on would never end.
        if (lowestCursor(channel) === from) return
      }
    } finally {
      // At once, in the turn that saw the end: a turn later somebody could still ask, and nobody would read.
      channel.pumping = null
    }
  }

  function deliver(subscriber: Subscriber, seq: number, kind: EventKind, payload: object): void {
    if (seq !== subscriber.cursor + 1) return
    subscriber.cursor = seq
    subscriber.send(kind, payload)
  }

  async function lookForMissed(): Promise<void> {
    if (channels.size === 0) return
    const mark = changeMark()
    if (mark === seenMark) return
    for (const { sellerId, lastSeq } of await loadAccounts(db, channels.keys())) await catchUp(sellerId, lastSeq)
    seenMark = mark
  }

  return { join, leave, push, catchUp, lookForMissed }
}

function areAllAt({ subscribers }: Channel, seq: number): boolean {
  for (const { cursor } of subscribers) if (cursor !== seq) return false
  return true
}

/** Infinity where nobody subscribes. */
function lowestCursor({ subscribers }: Channel): number {
  return Math.min(...[...subscribers].map(({ cursor }) => cursor))
}

function lacksEvents(channel: Channel): boolean {
  return lowestCursor(channel) < channel.known
}
