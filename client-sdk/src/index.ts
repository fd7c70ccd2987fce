import type { CreditMeter } from './credit-meter.js'
import { createDirectLine } from './direct-line.js'
import { createMeter, type LoadLine } from './meter.js'
import { type CreditMeterOptions, sharesTabs } from './options.js'

export * from '../protocol/index.js'
export type { CreditMeter, MeterEvents, StartOptions } from './credit-meter.js'
export { MeterError, type MeterErrorCode } from './errors.js'
export type { Via } from './line.js'
export type { CreditMeterOptions, ForcedEndReason, Logger } from './options.js'
export type { MeterSnapshot, MeterState, RunEnd } from './snapshot.js'

/** Where shared tabs cannot be had or loaded, after a deployment say, a tab has a connection of its own. */
const loadLine: LoadLine = async (options) => {
  const shared = sharesTabs(options) && (await import('./shared-line.js').catch(() => null))
  return shared ? shared.createSharedLine : createDirectLine
}

/**
 * Makes a meter for one livestream of a seller.
 *
 * It never throws, touches neither the page nor the network before `connect()` or `start()`, and so may be called
 * anywhere, on a server too. What is wrong with its options, a bad `url` say, is told as every refusal is: `state` becomes
 * `unauthorized`, and `snapshot.error` says why.
 */
export function createCreditMeter(options: CreditMeterOptions): CreditMeter {
  return createMeter(options, loadLine)
}
