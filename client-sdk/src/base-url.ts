import { MeterError } from './errors.js'

/**
 * The address of a server without its last slash, made whole where the page gives a part of it. A server may live below
 * a path: `https://example.com/meter`.
 * @throws MeterError `invalid_url`
 */
export function baseUrl(url = ''): string {
  try {
    const { protocol, origin, pathname } = new URL(url || '/', globalThis.location?.href)
    if (/^http/.test(protocol)) return origin + pathname.replace(/\/+$/, '')
  } catch {}
  throw new MeterError('invalid_url', `${url} is no http address`)
}
