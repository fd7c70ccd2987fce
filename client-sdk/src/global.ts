// What a page without a bundler gets as `Tallylight`, from dist/tallylight.global.js.
export { PROTOCOL_VERSION } from '../protocol/version.js'
export { createCreditMeter, MeterError } from './index.js'
export { LivestreamComponent } from './legacy.js'
