import type { ErrorCode, ErrorDetails } from '../../client-sdk/protocol/index.js'

/**
 * A request that is answered with no, for a reason that its sender can act on. It undoes nothing that was due anyway:
 * what settling found is kept, and only the act itself does not happen.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message)
    this.code = code
    this.details = details
  }
}

/** Whoever asks may not do this, to this livestream or at all (E1). */
export function permissionDenied(): Refusal {
  return new Refusal('permission_denied', 'Permission denied')
}

/** A fault of the installation that whoever runs the program can mend; its message says how. */
export class SetupError extends Error {
  override readonly name = 'SetupError'
}
