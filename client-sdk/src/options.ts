import type { EndReason } from '../protocol/index.js'
import type { RunEnd } from './snapshot.js'

/** Where warnings, and the errors of listeners, go; `console` fits. */
export interface Logger {
  warn(...parts: unknown[]): void
  error(...parts: unknown[]): void
}

/** What a meter is made of. */
export interface CreditMeterOptions {
  /** The address of the Tallylight server, `https://meter.example.com` say; the page's own server where it is left out. */
  readonly url?: string | undefined
  /** The livestream to meter; the seller's own. */
  readonly livestreamId: string
  /** Gives the seller's token. Called again in good time before a token expires, and when the server no longer takes it. */
  readonly getToken: () => string | Promise<string>
  /**
   * Milliseconds between two pings; held between a fifth of the policy's warning time and all of it (2 to 10 minutes at
   * the server's defaults). Left out: half of it (5 minutes).
   */
  readonly pingIntervalMs?: number | undefined
  /**
   * What counts as the seller being there: `page` (default), that the page is open; `interaction`, that there was pointer,
   * key, touch or media activity since the last ping; `manual`, nothing but a call of `ping()`.
   */
  readonly activity?: 'page' | 'interaction' | 'manual' | undefined
  /**
   * `separate` (default): each tab has a connection of its own. `shared`: the tabs of one seller hold one between them,
   * where the browser has Web Locks and BroadcastChannel.
   */
  readonly multiTab?: 'separate' | 'shared' | undefined
  /**
   * Called exactly once for each run that this meter saw live and that somebody else than the seller ended: stop the media
   * here. Also where that happened while the page was away, or the connection.
   */
  readonly onForcedEnd?: ((reason: ForcedEndReason, end: RunEnd) => void) | undefined
  /** Left out: `console`. */
  readonly logger?: Logger | undefined
}

/** Why a run ends that its seller did not end. */
export type ForcedEndReason = Exclude<EndReason, 'seller'>

/** Whether tabs are to share a connection, and the browser has what it takes. */
export function sharesTabs({ multiTab }: CreditMeterOptions): boolean {
  return Boolean(multiTab === 'shared' && globalThis.BroadcastChannel && globalThis.navigator?.locks)
}
