// What a page without a bundler gets as `Tallylight`, from dist/tallylight.global.js: one file, with nothing to load later.
import type { CreditMeter } from './credit-meter.js'
import { createDirectLine } from './direct-line.js'
import { createMeter } from './meter.js'
import { type CreditMeterOptions, sharesTabs } from './options.js'
import { createSharedLine } from './shared-line.js'

export { PROTOCOL_VERSION } from '../protocol/version.js'
export { MeterError } from './errors.js'
export { LivestreamComponent } from './legacy.js'

export function createCreditMeter(options: CreditMeterOptions): CreditMeter {
  return createMeter(options, async () => (sharesTabs(options) ? createSharedLine : createDirectLine))
}
