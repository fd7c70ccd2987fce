import { PROTOCOL_VERSION } from '../protocol/version.js'
import { asMeterError, MeterError } from './errors.js'
import { applyEvent, applySnapshot, concerns, faultOf, type Incoming, type Known, NOTHING_KNOWN } from './knowledge.js'
import type { Ask } from './line.js'
import type { ServerClock } from './server-clock.js'

/** Brings what the server tells in order, each event once, whatever the connection does to it. */
export interface Feed {
  readonly known: () => Known
  /** Takes an event off the wire: one that was seen is dropped, one that comes after a gap waits for the snapshot. */
  take(kind: string, payload: unknown): void
  /** Changes what is known by an answer. */
  amend(change: (known: Known) => Known): void
  /**
   * Subscribes, or asks for the snapshot anew; then everything up to at least the instant of the call is known.
   * @throws MeterError
   */
  resync(): Promise<void>
}

export interface FeedHooks {
  /** Something may have changed; with the event where it was one that concerns this livestream. */
  changed(event: Incoming | null): void
  trouble(error: unknown): void
}

interface Held {
  readonly kind: string
  readonly payload: { readonly seq: number }
  /** What is wrong with it, if anything is. */
  readonly fault: string | undefined
}

export function createFeed(livestream_id: string, ask: Ask, clock: ServerClock, hooks: FeedHooks): Feed {
  let known = NOTHING_KNOWN
  /** What came while a snapshot was asked for. */
  let held: Held[] = []
  let asked: Promise<unknown> = Promise.resolve()
  let asking = 0
  /** Something was told whose consequences only a snapshot tells. */
  let needsSnapshot = false

  function take(kind: string, payload: unknown): void {
    const fault = faultOf(kind, payload)
    if (fault === 'seq') reportMalformed(kind, fault)
    else held.push({ kind, payload: payload as { seq: number }, fault })
    settle()
  }

  function reportMalformed(kind: string, fault: string): void {
    needsSnapshot = true
    hooks.trouble(new MeterError('malformed_event', `${kind} came without a usable ${fault}`))
  }

  /** Applies what is held, as far as it is next in the sequence. */
  function advance(): void {
    for (let next = held[0]; next && known.seq !== null && next.payload.seq <= known.seq + 1; next = held[0]) {
      held.shift()
      if (next.payload.seq > known.seq) apply(next)
    }
  }

  function apply({ kind, payload, fault }: Held): void {
    const event = { kind, payload } as Incoming
    const isOurs = !fault && concerns(event, livestream_id)
    if (!fault) known = applyEvent(known, event, livestream_id)
    else known = { ...known, seq: payload.seq }
    // A new run comes with a policy of its own.
    if (isOurs && kind === 'stream_started') needsSnapshot = true
    hooks.changed(isOurs ? event : null)
    if (fault) reportMalformed(kind, fault)
  }

  /** Once nothing is asked for: applies what came meanwhile, and asks again where that left something open. */
  function settle(): void {
    if (asking > 0) return
    advance()
    if (known.seq !== null && (needsSnapshot || held.length > 0)) resync().catch(hooks.trouble)
  }

  function resync(): Promise<void> {
    asking += 1
    const mine = asked.then(readSnapshot)
    asked = mine
      .catch(() => {
        // The next connection begins after what was applied, and brings the rest again.
        held = []
        needsSnapshot = false
      })
      .then(() => {
        asking -= 1
        settle()
      })
    return mine
  }

  async function readSnapshot(): Promise<void> {
    const askedAt = clock.local()
    const after = known.seq
    const request = { livestream_id, ...(after !== null && { after }) }
    const snapshot = await ask('subscribe', request).catch((thrown: unknown) => {
      const error = asMeterError(thrown)
      // An id that is none: the same refusal, from the door instead of from the database.
      throw error.code === 'invalid_request' ? new MeterError('livestream_not_found', error.message) : error
    })
    if (snapshot.protocol_version !== PROTOCOL_VERSION) {
      const versions = `${snapshot.protocol_version} at the server, ${PROTOCOL_VERSION} here`
      throw new MeterError('protocol_mismatch', `Protocol version ${versions}`)
    }
    clock.sync(snapshot.server_time, askedAt)
    if (!snapshot.reset) {
      advance()
      await fill(snapshot.seq)
    }
    // An older one than the events that came meanwhile tells nothing new.
    if (snapshot.reset || known.seq === null || snapshot.seq >= known.seq) {
      known = applySnapshot(known, snapshot)
      needsSnapshot = false
    }
    hooks.changed(null)
  }

  /** Reads what the connection did not bring: after a gap, or where another page's connection is shared. */
  async function fill(upTo: number): Promise<void> {
    while (known.seq !== null && known.seq < upTo) {
      const after = known.seq
      const { items, reset } = await ask('events', { after })
      if (reset) return
      for (const { event: kind, ...payload } of items) {
        if (payload.seq === known.seq + 1) apply({ kind, payload, fault: faultOf(kind, payload) })
      }
      if (known.seq === after) return
    }
  }

  return {
    known: () => known,
    take,
    resync,
    amend(change) {
      known = change(known)
      hooks.changed(null)
    },
  }
}
