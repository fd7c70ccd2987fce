import { PROTOCOL_VERSION } from '../protocol/version.js'
import { MeterError } from './errors.js'
import type { Ask } from './line.js'
import type { ServerClock } from './server-clock.js'
import type { MeterSnapshot } from './snapshot.js'
import { changeBy, changeTo, concerns, faultOf, type Incoming, type State } from './state.js'

/** Brings what the server tells in order, each event once, whatever the connection does to it. */
export interface Feed {
  /** Takes an event off the wire: one that was seen is dropped, and what a gap swallowed is asked for. */
  take(kind: string, payload: unknown): void
  /**
   * Subscribes, or asks for the snapshot anew; then everything up to at least the instant of the call is known.
   * @throws MeterError
   */
  resync(): Promise<void>
}

/** What a meter's parts work on. */
export interface Core {
  readonly livestreamId: string
  readonly ask: Ask
  readonly clock: ServerClock
  readonly state: () => State
  readonly snapshot: () => MeterSnapshot
  /** Takes in a change; with the event where it came by one that concerns this livestream. */
  change(change: Partial<State>, event?: Incoming): void
  trouble(error: unknown): void
}

export function createFeed({ livestreamId, ask, clock, state, change, trouble }: Core): Feed {
  /** The greatest sequence that was heard of since the last look, which may be past a gap. */
  let newest = 0
  /** Something was told whose consequences only a snapshot tells. */
  let needsSnapshot = false
  let reading = 0
  let lastRead: Promise<void> = Promise.resolve()

  function take(kind: string, payload: unknown): void {
    const { seq } = Object(payload)
    if (!Number.isInteger(seq)) malformed(kind, 'seq')
    else if (!applied(kind, payload)) newest = Math.max(newest, seq)
    settle()
  }

  /** False where it is not the next of the sequence. */
  function applied(kind: string, payload: unknown): boolean {
    const event = { kind, payload } as Incoming
    const { seq } = event.payload
    const now = state()
    if (now.seq === null || seq !== now.seq + 1) return false
    const fault = faultOf(event)
    if (fault) {
      change({ seq })
      malformed(kind, fault)
      return true
    }
    // A new run comes with a policy of its own.
    if (kind === 'stream_started') needsSnapshot = true
    change({ seq, ...changeBy(event, now, livestreamId) }, concerns(event, livestreamId) ? event : undefined)
    return true
  }

  function malformed(kind: string, fault: string): void {
    needsSnapshot = true
    trouble(new MeterError('malformed_event', `${kind} has no usable ${fault}`))
  }

  /** Asks anew where what came left something open. */
  function settle(): void {
    const { seq } = state()
    if (reading === 0 && seq !== null && (needsSnapshot || newest > seq)) resync().catch(trouble)
  }

  function resync(): Promise<void> {
    reading += 1
    lastRead = lastRead.then(read, read).finally(() => {
      reading -= 1
    })
    // Where it failed, the next connection brings everything past what was applied.
    lastRead.then(settle, () => {})
    return lastRead
  }

  async function read(): Promise<void> {
    newest = 0
    const askedAt = clock.local()
    const { seq: after } = state()
    const snapshot = await ask('subscribe', { livestream_id: livestreamId, ...(after !== null && { after }) })
    const { seq, reset, protocol_version, server_time } = snapshot
    if (protocol_version !== PROTOCOL_VERSION) {
      throw new MeterError('protocol_mismatch', `Protocol ${protocol_version}, not ${PROTOCOL_VERSION}`)
    }
    const server_offset_ms = clock.sync(server_time, askedAt)
    if (!reset) await fill(seq)
    // An older one than the events that came meanwhile tells nothing new.
    const isNew = reset || seq >= Number(state().seq)
    if (isNew) needsSnapshot = false
    change({ server_offset_ms, ...(isNew && changeTo(snapshot, state())) })
  }

  /** Reads what the connection did not bring: after a gap, over REST, or where another tab's connection is shared. */
  async function fill(upTo: number): Promise<void> {
    for (let { seq } = state(), before = -1; seq !== null && seq < upTo && seq > before; seq = state().seq) {
      before = seq
      const { items } = await ask('events', { after: seq })
      for (const { event, ...payload } of items) applied(event, payload)
    }
  }

  return { take, resync }
}
