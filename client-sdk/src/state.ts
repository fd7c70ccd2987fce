import type {
  EventKind,
  EventPayloads,
  LivestreamView,
  PolicyView,
  RunForecast,
  RunView,
  Snapshot,
  Timestamp,
} from '../protocol/index.js'
import type { MeterError } from './errors.js'
import type { Via } from './line.js'

/** An event off the wire. */
export type Incoming = { [K in EventKind]: { readonly kind: K; readonly payload: EventPayloads[K] } }[EventKind]

/** What of a meter's state pages see as it is. */
export interface Shown {
  /** How the server is reached now: over REST events come some seconds late. Null while it is not. */
  readonly connection: Via | null
  /** Since when what is here may be out of date, by the server's time. Null while connected, and before that. */
  readonly stale_since: Timestamp | null
  /** How far the server's clock is ahead of this page's, in milliseconds. Null before the server was heard. */
  readonly server_offset_ms: number | null
  /** What went wrong last; null once it is well again. */
  readonly error: MeterError | null
  /** The last sequence that was seen of the seller's events; null before the first snapshot. */
  readonly seq: number | null
  readonly livestream: Omit<LivestreamView, 'run' | 'connected'> | null
  /** The current run, or else the last. */
  readonly run: RunView | null
  /** The times and the threshold that the run is metered by, so that a page hard-codes none. */
  readonly policy: PolicyView | null
  /** The seller's balance, which all their livestreams spend. */
  readonly remaining_credits: number | null
  /** The seller has been silent for the policy's warning time. */
  readonly inactivity_warned: boolean
  /** When the run ends if the seller shows no sign of life; not earlier. Null while nothing is live. */
  readonly inactivity_ends_at: Timestamp | null
}

/** All that a meter knows, of itself and from the server. */
export interface State extends Shown {
  readonly phase: 'idle' | 'connecting' | 'up' | 'down' | 'refused'
  /** Why the last run is over, where the server has said so. */
  readonly message: string | null
}

const NOT_WARNED = { inactivity_warned: false, inactivity_ends_at: null }

export const INITIAL_STATE: State = {
  phase: 'idle',
  connection: null,
  stale_since: null,
  server_offset_ms: null,
  error: null,
  seq: null,
  livestream: null,
  run: null,
  policy: null,
  remaining_credits: null,
  ...NOT_WARNED,
  message: null,
}

/** The field that an event cannot be used without, and lacks. Of a kind that a newer server has, nothing is known. */
export function faultOf({ kind, payload }: Incoming): string | undefined {
  const [first] = kind.split('_')
  const needed = { credit: 'runs', inactivity: 'last_activity', low: 'threshold', stream: 'credits_consumed' }
  return ['occurred_at', needed[first as 'low'] ?? 'seq'].find((name) => !(name in payload))
}

/** Whether a page of this livestream hears of it: its own, and whatever moves the account that all livestreams spend. */
export function concerns({ kind, payload }: Incoming, livestreamId: string): boolean {
  return [null, livestreamId].includes(payload.livestream_id) || kind === 'credit_update'
}

/** What changes by the next event of the sequence. */
export function changeBy({ kind, payload }: Incoming, { run }: State, livestreamId: string): Partial<State> {
  const { livestream_id, run_id, occurred_at } = payload
  const change = 'remaining_credits' in payload ? { remaining_credits: payload.remaining_credits } : {}
  if (kind === 'credit_update') {
    const forecast = payload.runs.find((one) => one.run_id === run?.run_id)
    return run && forecast ? { ...change, run: { ...run, ...forecastOf(forecast) } } : change
  }
  if (livestream_id !== livestreamId) return change
  if (kind === 'stream_started') {
    const started = { run_id, status: 'live', started_at: occurred_at, ended_at: null, end_reason: null }
    const live = { ...started, last_activity: occurred_at, ...forecastOf(payload) } as RunView
    return { ...change, ...NOT_WARNED, run: live, message: null }
  }
  if (!run || run.run_id !== run_id) return change
  if (kind === 'inactivity_warning') return { inactivity_warned: true, inactivity_ends_at: payload.ends_at }
  if (kind === 'inactivity_cleared') return activeAt(payload.last_activity, run)
  if (kind !== 'stream_ended') return change
  const { reason: end_reason, message, credits_consumed } = payload
  const over = { status: 'ended', ended_at: occurred_at, next_deduction_at: null, credits_run_out_at: null } as const
  return { ...change, message, run: { ...run, ...over, end_reason, credits_consumed } }
}

type Forecast = Omit<RunForecast, 'livestream_id' | 'run_id'>

function forecastOf({ credits_consumed, next_deduction_at, credits_run_out_at }: Forecast): Forecast {
  return { credits_consumed, next_deduction_at, credits_run_out_at }
}

/** What changes where the seller was active. It never goes back (A2). */
export function activeAt(last_activity: Timestamp, run: RunView | null): Partial<State> {
  return run && run.last_activity <= last_activity ? { ...NOT_WARNED, run: { ...run, last_activity } } : {}
}

/** What changes by a snapshot. What only events tell stays, where it is of the same silence and the same end. */
export function changeTo(snapshot: Snapshot, before: State): Partial<State> {
  const { seq, remaining_credits, policy, server_time } = snapshot
  const { run, connected, ...livestream } = snapshot.livestream
  const change = { seq, remaining_credits, policy, livestream, run }
  if (!run || run.last_activity === before.run?.last_activity) return change
  // Events would tell it more exactly: an outage of the server (A5) makes it later.
  const silentMs = Date.parse(server_time) - Date.parse(run.last_activity)
  return { ...change, ...NOT_WARNED, message: null, inactivity_warned: silentMs >= policy.inactivity_warning_ms }
}
