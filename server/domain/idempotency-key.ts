/** A caller's own name for one movement of credits (B8). Nothing that a header or a shell could trim or change. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/

/** The same in words, for the error that says so. */
export const IDEMPOTENCY_KEY_RULE = '1 to 255 visible ASCII characters'
