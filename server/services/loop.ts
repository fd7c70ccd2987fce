import { uptimeMs } from '../clock.js'
import type { Log } from '../log.js'

export interface Loop {
  /** Runs the next pass now, or after this many milliseconds where that is sooner than planned. */
  wake(inMs?: number): void
  /** No further pass; resolves when the one under way is over. */
  stop(): Promise<void>
}

/**
 * Runs a task again and again, never two at once.
 * @param task returns how many milliseconds to wait before the next time; what it throws is logged, and it goes on. Its signal
 *   says that it should come to an end soon
 * @param retryMs the wait after a failure
 */
export function startLoop(
  name: string,
  task: (stopping: AbortSignal) => Promise<number>,
  retryMs: number,
  log: Log,
): Loop {
  let timer: NodeJS.Timeout | undefined
  let plannedAt = 0
  let underWay: Promise<void> | null = null
  let again: number | null = null
  const stopping = new AbortController()
  let hasFailed = false

  function plan(inMs: number): void {
    if (stopping.signal.aborted) return
    clearTimeout(timer)
    plannedAt = uptimeMs() + inMs
    timer = setTimeout(pass, inMs)
  }

  function pass(): void {
    again = null
    underWay = task(stopping.signal)
      .then(
        (inMs) => {
          if (hasFailed) log.info({ loop: name }, `${name} goes on`)
          hasFailed = false
          return inMs
        },
        (error: unknown) => {
          // A database that is away for ten minutes is told once.
          if (!hasFailed) log.error({ err: error, loop: name }, `${name} failed, trying again every ${retryMs} ms`)
          hasFailed = true
          return retryMs
        },
      )
      .then((inMs) => {
        underWay = null
        plan(again === null ? inMs : Math.min(inMs, again))
      })
  }

  plan(0)
  return {
    wake(inMs = 0) {
      if (underWay !== null) again = Math.min(again ?? inMs, inMs)
      else if (uptimeMs() + inMs < plannedAt) plan(inMs)
    },
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await underWay
    },
  }
}
