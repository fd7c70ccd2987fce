import type { ErrorBody, ErrorCode, ErrorDetails } from '../protocol/index.js'

/** The codes that a meter's errors carry: the server's own, and those of what went wrong on this side of the wire. */
export type MeterErrorCode =
  | ErrorCode
  | 'destroyed'
  | 'get_token_failed'
  | 'get_token_timeout'
  | 'invalid_url'
  | 'malformed_event'
  | 'network'
  | 'protocol_mismatch'
  | 'timeout'
  | 'unexpected_answer'

/** What to do, by code or by its first word; what is not here passes by itself. */
const HINTS: Record<string, string> = {
  destroyed: 'Create another meter.',
  get: 'Correct getToken; it is asked again.',
  insufficient: 'Buy credits first.',
  invalid: 'Correct what the message names.',
  livestream_not_found: 'Create the livestream, or correct livestreamId.',
  network: 'Nothing. Where it never connects, check url, and CORS_ORIGINS at the server.',
  permission: "Use a token of the livestream's seller.",
  protocol: 'Use the @tallylight/client of the same version as the server.',
  token: 'Let getToken return a fresh token, then call connect().',
  unexpected: 'Check that url is the address of the server.',
}

/** Trying again would be answered the same. */
const TERMINAL = /^(destroyed|origin|permission|protocol|token)|_(found|url)$/

/** Every error of the SDK: what its promises reject with, what the event `error` carries, what `snapshot.error` holds. */
export class MeterError extends Error {
  /** For a program; stable. */
  readonly code: MeterErrorCode
  /** True where the meter does not try again by itself; call `connect()` or `start()` once the cause is gone. */
  readonly terminal: boolean
  /** What to do, in a sentence. */
  readonly hint: string
  /** What the server said beside text and code: `field`, `run_id`, `end_reason`. */
  readonly details: ErrorDetails

  constructor(code: MeterErrorCode, message: string, details: ErrorDetails = {}) {
    super(message)
    this.name = 'MeterError'
    this.code = code
    this.terminal = TERMINAL.test(code)
    this.hint = HINTS[code] ?? HINTS[code.replace(/_.*/, '')] ?? 'Try again later.'
    this.details = details
  }
}

/** An error as the server words it: the body of a REST error, a refused acknowledgement, a refused connection. */
export function fromServer(body: unknown): MeterError {
  const { error, code, ...details } = (body ?? {}) as Partial<ErrorBody>
  return code
    ? new MeterError(code, String(error), details)
    : new MeterError('unexpected_answer', 'Not an answer of Tallylight')
}

/** The connection is gone, or does not come about. */
export function lost(why: unknown): MeterError {
  return new MeterError('network', `No connection: ${why}`)
}

/** Whatever was thrown, as a MeterError. */
export function asMeterError(error: unknown): MeterError {
  return error instanceof MeterError ? error : lost(error)
}
