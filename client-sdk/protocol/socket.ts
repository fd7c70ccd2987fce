import type { ErrorCode, ErrorDetails } from './errors.js'
import type { EventPayloads } from './events.js'
import type { EndReason } from './reasons.js'
import type { LivestreamView, PolicyView, Timestamp } from './views.js'

/** What a handshake's `auth` holds. */
export interface HandshakeAuth {
  token: string
}

/** Every acknowledgement: the answer, or a refusal with a stable code. */
export type Ack<T> = ({ ok: true } & T) | ({ ok: false; error: string; code: ErrorCode } & ErrorDetails)

export interface SubscribeRequest {
  livestream_id: string
  /** The last sequence that the client has seen: it is first sent everything past it. */
  after?: number
}

/** A livestream and its seller's sequence, read in one transaction. */
export interface Snapshot {
  seq: number
  /** True where the events past `after` are too many or no longer kept: the snapshot stands for them. */
  reset: boolean
  server_time: Timestamp
  protocol_version: number
  livestream: LivestreamView
  remaining_credits: number
  policy: PolicyView
}

export interface LivestreamRequest {
  livestream_id: string
}

export interface StartRequest extends LivestreamRequest {
  /** Divides the times of the run's policy, to watch in minutes what takes hours. Refused outside development. */
  time_scale?: number
}

export interface HeartbeatAnswer {
  message: string
  last_activity: Timestamp
  remaining_credits: number
  credits_consumed: number
}

export interface StartAnswer {
  message: string
  remaining_credits: number
  credits_consumed: number
  run_id: number
  started_at: Timestamp
  next_deduction_at: Timestamp
  credits_run_out_at: Timestamp
}

export interface EndAnswer {
  message: string
  duration_minutes: number
  credits_consumed: number
  remaining_credits: number
  run_id: number
  end_reason: EndReason
}

export interface RenewRequest {
  token: string
}

export interface RenewAnswer {
  expires_at: Timestamp
}

/** What a client may send, each with an optional acknowledgement. */
export interface ClientToServerEvents {
  subscribe: (request: SubscribeRequest, ack?: (answer: Ack<Snapshot>) => void) => void
  ping: (request: LivestreamRequest, ack?: (answer: Ack<HeartbeatAnswer>) => void) => void
  start: (request: StartRequest, ack?: (answer: Ack<StartAnswer>) => void) => void
  end: (request: LivestreamRequest, ack?: (answer: Ack<EndAnswer>) => void) => void
  renew: (request: RenewRequest, ack?: (answer: Ack<RenewAnswer>) => void) => void
}

/** The names of what a client may send. */
export const CLIENT_EVENTS = ['subscribe', 'ping', 'start', 'end', 'renew'] as const

export interface TokenExpiring {
  expires_at: Timestamp
}

export interface ServerDraining {
  /** How long to wait before connecting again, spread out so that not everybody comes at once. */
  reconnect_after_ms: number
}

export interface RequestError extends ErrorDetails {
  /** The client event that failed, or `connection` for the connection itself. */
  event: string
  error: string
  code: ErrorCode
}

/** What a server sends: the seller's events in sequence, and three notices to one socket that have no sequence. */
export type ServerToClientEvents = { [K in keyof EventPayloads]: (payload: EventPayloads[K]) => void } & {
  token_expiring: (notice: TokenExpiring) => void
  server_draining: (notice: ServerDraining) => void
  request_error: (error: RequestError) => void
}

/** The `data` of a refused connection's `connect_error`. */
export interface ConnectRefusal {
  error: string
  code: ErrorCode
}
