import type { IncomingMessage } from 'node:http'

/**
 * Whether a handshake may come from its page: CORS does not cover WebSockets. Pages of this very host may, those of the
 * listed origins, and whatever is no browser and says no origin.
 */
export function isOriginAllowed(request: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = request.headers
  if (origin === undefined || allowed.includes(origin)) return true
  // As browsers write both: to take an address apart would be several microseconds of each handshake.
  if (origin === `https://${host}` || origin === `http://${host}`) return true
  return URL.canParse(origin) && new URL(origin).host === host
}
