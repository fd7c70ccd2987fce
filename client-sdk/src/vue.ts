import { getCurrentInstance, onMounted, onScopeDispose, type ShallowRef, shallowRef } from 'vue'
import { type CreditMeter, type CreditMeterOptions, createCreditMeter, type MeterSnapshot } from './index.js'

/** What `useCreditMeter` gives. */
export interface CreditMeterComposable {
  readonly meter: CreditMeter
  readonly snapshot: Readonly<ShallowRef<MeterSnapshot>>
  readonly start: CreditMeter['start']
  readonly end: CreditMeter['end']
  readonly ping: CreditMeter['ping']
}

/**
 * Meters a livestream for as long as the scope lives: connects when the component is mounted (never on a server), or at
 * once in a scope without one. For another livestream, give the component that livestream's id as its `key`.
 */
export function useCreditMeter(options: CreditMeterOptions): CreditMeterComposable {
  const meter = createCreditMeter(options)
  const snapshot = shallowRef(meter.snapshot)
  meter.on('change', (changed) => {
    snapshot.value = changed
  })
  if (getCurrentInstance()) onMounted(meter.connect)
  else meter.connect()
  onScopeDispose(meter.destroy)
  const { start, end, ping } = meter
  return { meter, snapshot, start, end, ping }
}
