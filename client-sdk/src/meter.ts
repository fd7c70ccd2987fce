import { createActs } from './acts.js'
import { readAddress } from './address.js'
import type { CreditMeter, MeterEvents } from './credit-meter.js'
import { createDirectLine } from './direct-line.js'
import { asMeterError, lost, MeterError } from './errors.js'
import { createFeed } from './feed.js'
import type { Incoming } from './knowledge.js'
import type { Ask, Line, LineHooks } from './line.js'
import { createListeners } from './listeners.js'
import type { CreditMeterOptions } from './options.js'
import { watchPage } from './page-watch.js'
import { createPings } from './pings.js'
import { createServerClock } from './server-clock.js'
import { canShare, createSharedLine } from './shared-line.js'
import { nextSnapshot, type Phase, type Standing } from './snapshot.js'
import { pingIntervalMs, type Timing } from './timing.js'
import { createTokenKeeper } from './token-keeper.js'

/** Joins the parts of a meter. @param timing how long things take; tests have less patience than pages */
export function createMeter(options: CreditMeterOptions, timing: Timing): CreditMeter {
  const { livestreamId, activity = 'page', logger: log = console } = options
  const clock = createServerClock()
  const { on, off, emit, clear } = createListeners<MeterEvents>(guard)
  const ask: Ask = (kind, request) => (line ? line.ask(kind, request) : Promise.reject(lost('none')))
  const feed = createFeed(livestreamId, ask, clock, { changed, trouble })
  const acts = createActs({ livestreamId, feed, limitMs: timing.actMs, ask, snapshot: () => snapshot, whenUp, begin })
  const pings = createPings(pingFacts, () => void acts.pingOnce().catch(trouble))

  let phase: Phase = 'idle'
  let standing: Standing = { connection: null, stale_since: null, server_offset_ms: null, error: null }
  let snapshot = nextSnapshot(null, phase, standing, feed.known())
  let life = new AbortController()
  let line: Line | null = null
  let polling: ReturnType<typeof setTimeout> | undefined
  let waiting: (() => void)[] = []
  let drops = 0
  let destroyed = false
  /** The run that was seen live, until its end is told. */
  let liveRun: number | null = null
  let hasWarned = false

  function guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      log.error('A listener of the credit meter threw', error)
    }
  }

  function stand(next: Phase, change: Partial<Standing>): void {
    phase = next
    standing = { ...standing, ...change }
    changed(null)
  }

  /** Takes in what is known now, and tells whoever listens. */
  function changed(event: Incoming | null): void {
    const before = snapshot
    const now = nextSnapshot(before, phase, { ...standing, server_offset_ms: clock.offsetMs() }, feed.known())
    snapshot = now
    if (event) emit(event.kind, event.payload)
    if (now.state !== before.state) emit('state', now.state)
    if (now.stale_since !== before.stale_since) emit('stale', now.stale_since)
    if (now !== before) emit('change', now)
    tellForcedEnd()
    pings.plan()
  }

  function tellForcedEnd(): void {
    const { run, end } = snapshot
    if (run && !end) liveRun = run.run_id
    if (!end || end.run_id !== liveRun) return
    liveRun = null
    const { reason } = end
    if (reason !== 'seller') guard(() => options.onForcedEnd?.(reason, end))
  }

  function report(next: Phase, error: MeterError): void {
    const isNews = standing.error?.code !== error.code
    stand(next, { error })
    if (isNews && !emit('error', error)) log.warn(`Credit meter: ${error.message} (${error.code}). ${error.hint}`)
  }

  function trouble(thrown: unknown): void {
    const error = asMeterError(thrown)
    // That a run is over is no trouble, and the snapshot tells it.
    if (!life.signal.aborted && error.code !== 'livestream_not_live') report(phase, error)
  }

  function pingFacts() {
    const { policy, state } = snapshot
    const wishedMs = options.pingIntervalMs
    const intervalMs = policy ? pingIntervalMs(wishedMs, policy) : 0
    if (policy && wishedMs && wishedMs !== intervalMs && !hasWarned) {
      hasWarned = true
      log.warn(`Credit meter: pingIntervalMs is held to ${intervalMs}`)
    }
    return { live: state === 'live', activity, intervalMs }
  }

  const hooks: LineHooks = {
    event: feed.take,
    trouble,
    async up(connection) {
      const dropsBefore = drops
      await feed.resync()
      if (drops !== dropsBefore) throw lost('gone as it came')
      stand('up', { connection, stale_since: null, error: null })
      pings.plan(true)
      pollLater()
      for (const resolve of waiting.splice(0)) resolve()
    },
    down() {
      drops += 1
      clearTimeout(polling)
      const stale_since = new Date(clock.now()).toISOString()
      if (phase === 'up') stand('down', { connection: null, stale_since })
    },
    refused(error) {
      stop(error)
      hooks.down()
      report('refused', error)
    },
  }

  /** Over REST nothing comes unasked. */
  function pollLater(): void {
    clearTimeout(polling)
    if (standing.connection === 'rest') polling = setTimeout(() => void look().then(pollLater), timing.pollMs)
  }

  const look = () => feed.resync().catch(trouble)

  function stop(reason: MeterError): void {
    line = null
    waiting = []
    pings.stop()
    life.abort(reason)
  }

  function connect(): void {
    if (line || destroyed) return
    life = new AbortController()
    const { signal } = life
    stand('connecting', { error: null })
    try {
      const parts = {
        address: readAddress(options.url),
        tokens: createTokenKeeper(options.getToken, clock, timing.getTokenMs, signal),
        transports: options.transports ?? (['websocket', 'polling', 'rest'] as const),
        timing,
        life: signal,
      }
      line = (options.multiTab === 'shared' && canShare() ? createSharedLine : createDirectLine)(parts, hooks)
    } catch (error) {
      hooks.refused(asMeterError(error))
      return
    }
    watchPage({ awake, interacted: activity === 'interaction' ? pings.interacted : null }, signal)
  }

  /** The clock may have stood still, and the connection be dead: asking shows both. */
  function awake(): void {
    line?.wake()
    pings.plan(true)
    if (phase === 'up') void look()
  }

  function whenUp(): Promise<void> {
    return phase === 'up' ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))
  }

  function begin(): AbortSignal {
    if (!destroyed) connect()
    return life.signal
  }

  return {
    get state() {
      return snapshot.state
    },
    get snapshot() {
      return snapshot
    },
    on,
    off,
    connect,
    start(startOptions = {}) {
      pings.countAsPing()
      return acts.start(startOptions)
    },
    end: acts.end,
    ping() {
      pings.countAsPing()
      return acts.ping()
    },
    destroy() {
      destroyed = true
      clear()
      stop(new MeterError('destroyed', 'The meter was destroyed'))
      hooks.down()
      stand('idle', {})
    },
    subscribe: (listener) => on('change', listener),
    getSnapshot: () => snapshot,
    serverNow: clock.now,
    msUntil: (instant) => Math.max(0, Date.parse(instant) - clock.now()),
  }
}
