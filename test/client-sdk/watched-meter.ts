import { setTimeout as sleep } from 'node:timers/promises'
import type { CreditMeter, MeterError } from '../../client-sdk/src/index.js'
import { EVENT_KINDS } from '../../client-sdk/src/index.js'
import { createMeter } from '../../client-sdk/src/meter.js'
import type { CreditMeterOptions } from '../../client-sdk/src/options.js'
import type { TestSeller } from '../support/sellers.js'

/** A meter, and all that it tells. */
export interface WatchedMeter {
  readonly meter: CreditMeter
  /** Kinds and sequences of the events, as they came. */
  readonly events: string[]
  readonly states: string[]
  readonly errors: MeterError[]
  /** What `onForcedEnd` was called with. */
  readonly forcedEnds: string[]
  readonly logged: unknown[][]
}

/** How many times faster than on a page the SDK gives up, polls and looks for a socket again. */
const PACE = 0.1

export function watchedMeter(
  url: string,
  { livestreamId, token }: Pick<TestSeller, 'livestreamId' | 'token'>,
  options: Partial<CreditMeterOptions> = {},
  pace = PACE,
): WatchedMeter {
  const events: string[] = []
  const states: string[] = []
  const errors: MeterError[] = []
  const forcedEnds: string[] = []
  const logged: unknown[][] = []
  const log = (...parts: unknown[]) => void logged.push(parts)
  const meter = createMeter(
    {
      url,
      livestreamId,
      getToken: () => token,
      onForcedEnd: (reason) => forcedEnds.push(reason),
      logger: { warn: log, error: log },
      ...options,
    },
    undefined,
    pace,
  )
  for (const kind of EVENT_KINDS) meter.on(kind, ({ seq }) => events.push(`${seq} ${kind}`))
  meter.on('state', (state) => states.push(state))
  meter.on('error', (error) => errors.push(error))
  return { meter, events, states, errors, forcedEnds, logged }
}

/** Resolves once it is so. @throws after the limit, with what was waited for */
export async function until(isSo: () => boolean, what: string, limitMs = 30_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`)
    await sleep(5)
  }
}
