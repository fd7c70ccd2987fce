import { type RefObject, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import {
  type CreditMeter,
  type CreditMeterOptions,
  createCreditMeter,
  type MeterSnapshot,
  type Timestamp,
} from './index.js'

/** What `useCreditMeter` gives. */
export interface CreditMeterHook {
  /** The meter itself, for `on` say. Another one when `livestreamId`, `url` or another plain option changes. */
  readonly meter: CreditMeter
  readonly snapshot: MeterSnapshot
  readonly start: CreditMeter['start']
  readonly end: CreditMeter['end']
  readonly ping: CreditMeter['ping']
}

interface Held {
  readonly key: string
  readonly meter: CreditMeter
  destroyed: boolean
}

function make(key: string, options: CreditMeterOptions, latest: RefObject<CreditMeterOptions>): Held {
  const meter = createCreditMeter({
    ...options,
    getToken: () => latest.current.getToken(),
    onForcedEnd: (reason, end) => latest.current.onForcedEnd?.(reason, end),
  })
  return { key, meter, destroyed: false }
}

/**
 * Meters a livestream for as long as the component is mounted, connected from the first effect on. `getToken` and
 * `onForcedEnd` may be new functions at each rendering. Safe under strict mode, and on a server, where it stays idle.
 */
export function useCreditMeter(options: CreditMeterOptions): CreditMeterHook {
  const { url, livestreamId, pingIntervalMs, activity, multiTab } = options
  const key = JSON.stringify([url, livestreamId, pingIntervalMs, activity, multiTab])
  const latest = useRef(options)
  const [held, hold] = useState(() => make(key, options, latest))
  if (held.key !== key) hold(make(key, options, latest))

  useEffect(() => {
    latest.current = options
  })
  useEffect(() => {
    if (held.destroyed) {
      // Strict mode unmounts and mounts again.
      hold(make(held.key, latest.current, latest))
      return
    }
    held.meter.connect()
    return () => {
      held.destroyed = true
      held.meter.destroy()
    }
  }, [held])

  const { meter } = held
  const snapshot = useSyncExternalStore(meter.subscribe, meter.getSnapshot, meter.getSnapshot)
  const { start, end, ping } = meter
  return useMemo(() => ({ meter, snapshot, start, end, ping }), [meter, snapshot, start, end, ping])
}

/**
 * Whole seconds until an instant, by the server's time: 1 until it is there, then 0. Null while there is no instant.
 * Renders anew each second.
 */
export function useCountdown(instant: Timestamp | null, meter: CreditMeter): number | null {
  const [, tick] = useState(0)
  const leftMs = instant === null ? null : meter.msUntil(instant)
  useEffect(() => {
    if (!leftMs) return
    // To the next whole second, so that it never skips one.
    const timer = setTimeout(() => tick((count) => count + 1), leftMs % 1000 || 1000)
    return () => clearTimeout(timer)
  })
  return leftMs === null ? null : Math.ceil(leftMs / 1000)
}
