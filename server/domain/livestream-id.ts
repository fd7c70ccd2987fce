const PATTERN = /^[A-Za-z0-9_-]{1,128}$/
/** Words of the routes, which therefore cannot be ids (SPEC.md, H). */
const RESERVED = new Set(['start', 'end', 'livestreams', 'credit-monitor'])

export const LIVESTREAM_ID_RULE = '1 to 128 letters, digits, _ or -, and not start, end, livestreams or credit-monitor'

/** Whether a text can be the id of a livestream. */
export function isLivestreamId(text: string): boolean {
  return PATTERN.test(text) && !RESERVED.has(text)
}
