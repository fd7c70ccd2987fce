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

/** What to do, by a word of the code; README.md says more. */
const HINTS = [
  [/token|perm/, 'Check getToken.'],
  [/found/, 'Check livestreamId.'],
  [/url|network/, 'Check url.'],
  [/protocol/, 'Update @tallylight/client.'],
  [/credits/, 'Buy credits.'],
  [/not_live/, 'Call start().'],
] as const

/** Trying again would be answered the same. */
const TERMINAL = /^(destroyed|perm|protocol|token)|found|url|request/

/** Every error of the SDK: what its promises reject with, what the event `error` carries, what `snapshot.error` holds. */
export class MeterError extends Error {
  /** For a program; stable. */
  declare readonly code: MeterErrorCode
  /**
   * True where trying again would be answered the same. Where that is so of the connection, the meter has stopped; call
   * `connect()` or `start()` once the cause is gone.
   */
  declare readonly terminal: boolean
  /** What to do, in a sentence. */
  declare readonly hint: string
  /** What the server said beside text and code: `field`, `run_id`, `end_reason`. */
  declare readonly details: ErrorDetails

  constructor(code: MeterErrorCode, message: string, details: ErrorDetails = {}) {
    super(message)
    const hint = HINTS.find(([word]) => word.test(code))?.[1] ?? 'Try again.'
    Object.assign(this, { name: 'MeterError', code, terminal: TERMINAL.test(code), hint, details })
  }
}

/** An error as the server words it: the body of a REST error, a refused acknowledgement, a refused connection. */
export function fromServer(body: unknown): MeterError {
  const { error, code, ...details } = Object(body) as Partial<ErrorBody>
  return code ? new MeterError(code, `${error}`, details) : lost('that is no answer of Tallylight')
}

/** The connection is gone, or does not come about. */
export function lost(why: unknown): MeterError {
  return new MeterError('network', `No connection: ${why}`)
}

/** Whatever was thrown, as a MeterError. */
export function asMeterError(error: unknown): MeterError {
  return error instanceof MeterError ? error : lost(error)
}

export function codeOf(error: unknown): MeterErrorCode {
  return asMeterError(error).code
}
