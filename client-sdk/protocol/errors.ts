/** Every code that an error of Tallylight carries, over REST and sockets alike. Codes are stable, texts are not. */
export const ERROR_CODES = [
  'already_refunded',
  'balance_too_large',
  'balance_would_be_negative',
  'entry_not_found',
  'idempotency_key_reused',
  'identity_changed',
  'insufficient_credits',
  'internal_error',
  'invalid_json',
  'invalid_request',
  'livestream_already_live',
  'livestream_id_taken',
  'livestream_not_found',
  'livestream_not_live',
  'method_not_allowed',
  'origin_not_allowed',
  'payload_too_large',
  'permission_denied',
  'rate_limited',
  'route_not_found',
  'server_draining',
  'temporarily_unavailable',
  'token_expired',
  'token_invalid',
  'token_missing',
  'token_without_expiry',
  'unknown_event',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

/** What an error says beside its text and code. `field` names what did not fit the schema. */
export interface ErrorDetails {
  field?: string
  run_id?: number
  end_reason?: string
}

/** The body of every REST error. */
export interface ErrorBody extends ErrorDetails {
  /** For a person; may change. */
  error: string
  /** For a program; stable. */
  code: ErrorCode
}
