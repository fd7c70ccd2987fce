import type { EndAnswer, EventPayloads, HeartbeatAnswer, StartAnswer, Timestamp } from '../protocol/index.js'
import type { MeterError } from './errors.js'
import type { MeterSnapshot, MeterState } from './snapshot.js'

/**
 * What `meter.on` listens to: the seller's events as the server tells them (SPEC.md, S), each once and in order, and the
 * meter's own notices. Of another livestream of the seller a meter hears only what moves the account that both spend.
 */
export interface MeterEvents extends EventPayloads {
  /** The new state. */
  state: MeterState
  /** Since when the snapshot may be out of date; null when it is up to date again. */
  stale: Timestamp | null
  /** What went wrong with the connection; what goes wrong with a call, the call rejects with. */
  error: MeterError
  /** The new snapshot, whatever changed in it. */
  change: MeterSnapshot
}

/** How to start. */
export interface StartOptions {
  /** Divides the times of the run's policy, to watch in minutes what takes hours. Only a server in development takes it. */
  readonly timeScale?: number | undefined
}

/**
 * Meters one livestream of a seller. It does nothing until `connect`, `start`, `end` or `ping` is called; from then on it
 * keeps itself connected until `destroy`. What its calls reject with is a MeterError; a rejection that nobody handles is
 * no unhandled rejection.
 */
export interface CreditMeter {
  readonly state: MeterState
  /** All that a page shows: frozen, and the same object until something in it changes. */
  readonly snapshot: MeterSnapshot
  /** Listens; the returned function takes the listener off again. A listener that throws is logged, and harms nobody. */
  on<K extends keyof MeterEvents>(event: K, listener: (payload: MeterEvents[K]) => void): () => void
  off<K extends keyof MeterEvents>(event: K, listener: (payload: MeterEvents[K]) => void): void
  /** Connects, and watches without starting. After a terminal refusal it tries anew. */
  connect(): void
  /**
   * Goes live; connects first where that is to be done, and survives a lost connection. A run that is live already counts
   * as started. Rejects with `insufficient_credits`, a terminal refusal, or `timeout` after 30 s.
   */
  start(options?: StartOptions): Promise<StartAnswer>
  /** Ends the run. One that has ended already, by whatever reason, counts as ended: `end_reason` says how. */
  end(): Promise<EndAnswer>
  /** Says that the seller is there (A1); the meter does so by itself too, as `activity` says. */
  ping(): Promise<HeartbeatAnswer>
  /** Closes the connection and leaves no listener, timer or socket. Ends no stream. May be called again. */
  destroy(): void
  /** For `useSyncExternalStore`: calls back whenever there is a new snapshot. */
  subscribe(listener: () => void): () => void
  /** For `useSyncExternalStore`: the same as `snapshot`. */
  getSnapshot(): MeterSnapshot
  /** The server's time in milliseconds since the epoch, as well as it can be told from here. */
  serverNow(): number
  /** Milliseconds until an instant by the server's time; 0 where it has passed. */
  msUntil(instant: Timestamp): number
}
