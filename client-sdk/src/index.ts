import type { CreditMeter } from './credit-meter.js'
import { createMeter } from './meter.js'
import type { CreditMeterOptions } from './options.js'
import { TIMING } from './timing.js'

export * from '../protocol/index.js'
export type { CreditMeter, MeterEvents, StartOptions } from './credit-meter.js'
export type { Transport } from './direct-line.js'
export { MeterError, type MeterErrorCode } from './errors.js'
export type { Via } from './line.js'
export type { CreditMeterOptions, ForcedEndReason, Logger } from './options.js'
export type { MeterSnapshot, MeterState, RunEnd } from './snapshot.js'

/**
 * Makes a meter for one livestream of a seller.
 *
 * It never throws, touches neither the page nor the network before `connect()` or `start()`, and so may be called
 * anywhere, on a server too. What is wrong with its options, a bad `url` say, is told as every refusal is: `state` becomes
 * `unauthorized`, and `snapshot.error` says why.
 */
export function createCreditMeter(options: CreditMeterOptions): CreditMeter {
  return createMeter(options, TIMING)
}
