import type {
  EventKind,
  EventPayloads,
  LivestreamView,
  PolicyView,
  RunView,
  Snapshot,
  Timestamp,
} from '../protocol/index.js'

/** An event off the wire. */
export type Incoming = { [K in EventKind]: { readonly kind: K; readonly payload: EventPayloads[K] } }[EventKind]

/** What the server has told so far of a livestream and of its seller's account. */
export interface Known {
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
  /** When the run ends if the seller shows no sign of life, where the server has said so. */
  readonly inactivity_ends_at: Timestamp | null
  /** Why the last run is over, where the server has said so. */
  readonly end_message: string | null
}

export const NOTHING_KNOWN: Known = {
  seq: null,
  livestream: null,
  run: null,
  policy: null,
  remaining_credits: null,
  inactivity_warned: false,
  inactivity_ends_at: null,
  end_message: null,
}

/** The field that makes an event useless; undefined where it is well-formed. */
export function faultOf(kind: string, payload: unknown): string | undefined {
  const fields = Object(payload) as Record<string, unknown>
  const needed = /^inactivity/.test(kind) ? 'last_activity' : kind === 'credit_update' ? 'runs' : 'remaining_credits'
  if (!Number.isInteger(fields['seq'])) return 'seq'
  return ['occurred_at', needed].find((name) => fields[name] === undefined)
}

/** Whether a page of this livestream hears of it: its own, and whatever moves the account that all livestreams spend. */
export function concerns({ kind, payload }: Incoming, livestreamId: string): boolean {
  return [null, livestreamId].includes(payload.livestream_id) || kind === 'credit_update'
}

/** What is known after the next event of the sequence. */
export function applyEvent(known: Known, { kind, payload }: Incoming, livestreamId: string): Known {
  const { seq, livestream_id, run_id, occurred_at } = payload
  const next = { ...known, seq, ...('remaining_credits' in payload && pick(payload, 'remaining_credits')) }
  const { run } = known
  if (kind === 'credit_update') {
    const forecast = payload.runs.find((one) => one.run_id === run?.run_id)
    return run && forecast ? { ...next, run: { ...run, ...pick(forecast, ...FORECAST) } } : next
  }
  if (livestream_id !== livestreamId) return next
  if (kind === 'stream_started') {
    const started = {
      run_id: Number(run_id),
      status: 'live',
      started_at: occurred_at,
      ended_at: null,
      end_reason: null,
      last_activity: occurred_at,
    } as const
    return { ...next, ...QUIET, run: { ...started, ...pick(payload, ...FORECAST) } }
  }
  if (run?.run_id !== run_id || !run) return next
  if (kind === 'inactivity_warning') {
    return { ...next, inactivity_warned: true, inactivity_ends_at: payload.ends_at }
  }
  if (kind === 'inactivity_cleared') return active(next, payload.last_activity)
  if (kind !== 'stream_ended') return next
  const { reason: end_reason, message: end_message, credits_consumed } = payload
  const over = { status: 'ended', ended_at: occurred_at, next_deduction_at: null, credits_run_out_at: null } as const
  return { ...next, end_message, run: { ...run, ...over, end_reason, credits_consumed } }
}

const FORECAST = ['credits_consumed', 'next_deduction_at', 'credits_run_out_at'] as const
const QUIET = { inactivity_warned: false, inactivity_ends_at: null }

function pick<T, K extends keyof T>(from: T, ...names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>
}

/** What is known once the seller was active. It never goes back (A2). */
export function active(known: Known, last_activity: Timestamp): Known {
  const { run } = known
  if (!run || last_activity < run.last_activity) return known
  return { ...known, ...QUIET, run: { ...run, last_activity } }
}

/** What is known from a snapshot alone, and from before where that tells more of the same. */
export function applySnapshot(before: Known, snapshot: Snapshot): Known {
  const { seq, remaining_credits, policy, server_time } = snapshot
  const { run, connected, ...livestream } = snapshot.livestream
  const known = { ...before, seq, remaining_credits, policy, livestream, run }
  if (!run || run.last_activity === before.run?.last_activity) return known
  // Events would tell it more exactly: an outage of the server (A5) makes it later.
  const silentMs = Date.parse(server_time) - Date.parse(run.last_activity)
  return { ...known, ...QUIET, inactivity_warned: silentMs >= policy.inactivity_warning_ms, end_message: null }
}
