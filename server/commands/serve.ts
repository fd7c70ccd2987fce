import { startApp } from '../app.js'
import { systemClock, uptimeMs } from '../clock.js'
import type { Config } from '../config.js'
import { createLog, isReadByPeople } from '../log.js'

/** How long a graceful stop may take before it is cut short. */
const STOP_WITHIN_MS = 15_000
/** Ctrl+C reaches the process from the terminal and again from npm: signals this close together are one. */
const ONE_SIGNAL_MS = 500

/** `tallylight serve`: the server, until SIGTERM or SIGINT; a second signal forces. */
export async function serve(config: Config): Promise<void> {
  const log = createLog({ level: config.logLevel, pretty: isReadByPeople(config.production) })
  const clock = systemClock((behindMs) => {
    log.warn({ behindMs }, 'the wall clock was set back: time stands still until it has caught up')
  })
  const app = await startApp(config, { clock, log })
  let stoppingSince: number | null = null

  async function stop(signal: NodeJS.Signals): Promise<void> {
    if (stoppingSince !== null) {
      if (uptimeMs() - stoppingSince < ONE_SIGNAL_MS) return
      log.warn({ signal }, 'stopping at once')
      process.exit(1)
    }
    stoppingSince = uptimeMs()
    log.info({ signal }, 'stopping: finishing what is under way (a second signal forces)')
    const tooLong = setTimeout(() => {
      log.error({ afterMs: STOP_WITHIN_MS }, 'stopping took too long')
      process.exit(1)
    }, STOP_WITHIN_MS)
    tooLong.unref()
    await app.stop()
    log.info('stopped')
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stop(signal).catch((error: unknown) => {
        log.fatal({ err: error }, 'stopping failed')
        process.exit(1)
      })
    })
  }
  // Said last: whoever waits for it may send a signal at once.
  log.info({ url: app.url, database: app.database, sweepIntervalMs: config.sweepIntervalMs }, `listening on ${app.url}`)
}
