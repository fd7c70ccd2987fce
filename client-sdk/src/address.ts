import { MeterError } from './errors.js'

/** Where a server is. It may live below a path: `https://example.com/meter`. */
export interface Address {
  readonly origin: string
  /** Without a last slash; empty where the server has the origin to itself. */
  readonly path: string
}

/** @throws MeterError `invalid_url` */
export function readAddress(url = '/'): Address {
  try {
    const { protocol, origin, pathname } = new URL(url || '/', globalThis.location?.href)
    if (/^https?:$/.test(protocol)) return { origin, path: pathname.replace(/\/+$/, '') }
  } catch {}
  throw new MeterError('invalid_url', `${JSON.stringify(url)} is no http or https address`)
}
