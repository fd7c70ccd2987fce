import { createActs } from './acts.js'
import { baseUrl } from './base-url.js'
import type { CreditMeter, MeterEvents } from './credit-meter.js'
import { createDirectLine } from './direct-line.js'
import { asMeterError, lost, MeterError } from './errors.js'
import { type Core, createFeed } from './feed.js'
import type { Ask, Line, LineHooks } from './line.js'
import { createListeners } from './listeners.js'
import type { CreditMeterOptions } from './options.js'
import { watchPage } from './page-watch.js'
import { createPings } from './pings.js'
import { createServerClock } from './server-clock.js'
import { nextSnapshot } from './snapshot.js'
import { INITIAL_STATE, type Incoming, type State } from './state.js'
import { pingIntervalMs } from './timing.js'
import { createTokenKeeper } from './token-keeper.js'

/** Between two looks for events over REST, where nothing comes unasked. */
const POLL_MS = 5_000

/** Where lines come from: those of shared tabs are loaded only where a page wants them. */
export type LoadLine = (options: CreditMeterOptions) => Promise<typeof createDirectLine>

/**
 * Joins the parts of a meter.
 * @param pace what all waits but the backoff are multiplied by: 1, and less in tests
 */
export function createMeter(
  options: CreditMeterOptions,
  loadLine: LoadLine = async () => createDirectLine,
  pace = 1,
): CreditMeter {
  const { livestreamId, activity = 'page', logger: log = console } = options
  let state = INITIAL_STATE
  let snapshot = nextSnapshot(null, state)
  let life = new AbortController()
  let line: Line | null = null
  let polling: ReturnType<typeof setTimeout> | undefined
  let destroyed = false
  /** The run that was seen live, until its end is told. */
  let liveRun: number | null = null
  let hasWarned = false

  const clock = createServerClock()
  const { on, off, emit, clear } = createListeners<MeterEvents>(guard)
  const ask: Ask = (kind, request) => (line ? line.ask(kind, request) : Promise.reject(lost('none')))
  const core: Core = { livestreamId, ask, clock, state: () => state, snapshot: () => snapshot, change, trouble }
  const feed = createFeed(core)
  const acts = createActs(core, feed, { begin, whenUp, pace })
  const pings = createPings(pingFacts, () => void acts.pingOnce().catch(trouble))

  function guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      log.error('Credit meter:', error)
    }
  }

  /** Takes in what is known now, and tells whoever listens. */
  function change(by: Partial<State>, event?: Incoming): void {
    const before = snapshot
    state = { ...state, ...by }
    const now = nextSnapshot(before, state)
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
    if (!end) liveRun = run?.run_id ?? null
    else if (end.run_id === liveRun) {
      liveRun = null
      const { reason } = end
      if (reason !== 'seller') guard(() => options.onForcedEnd?.(reason, end))
    }
  }

  function trouble(thrown: unknown): void {
    const error = asMeterError(thrown)
    // That a run is over is no trouble, and the snapshot tells it.
    if (life.signal.aborted || error.code === 'livestream_not_live') return
    const isNews = state.error?.code !== error.code
    if (error.terminal) stop('refused', error)
    change({ error })
    if (isNews && !emit('error', error)) log.warn('Credit meter:', error)
  }

  function pingFacts() {
    const { policy, state: now } = snapshot
    const wishedMs = options.pingIntervalMs
    const intervalMs = policy ? pingIntervalMs(wishedMs, policy) : 0
    if (policy && wishedMs && wishedMs !== intervalMs && !hasWarned) {
      hasWarned = true
      log.warn(`Credit meter: pingIntervalMs ${wishedMs} is out of range, using ${intervalMs}`)
    }
    return { live: now === 'live', activity, intervalMs }
  }

  const hooks: LineHooks = {
    event: feed.take,
    trouble,
    async up(connection) {
      const { signal } = life
      await feed.resync()
      if (signal.aborted) throw signal.reason
      change({ phase: 'up', connection, stale_since: null, error: null })
      pings.plan(true)
      pollLater()
    },
    down() {
      if (state.phase === 'up') goStale('down')
    },
  }

  function goStale(phase: State['phase']): void {
    const stale_since = state.connection ? new Date(clock.now()).toISOString() : state.stale_since
    change({ phase, connection: null, stale_since })
    pollLater()
  }

  function pollLater(): void {
    clearTimeout(polling)
    if (state.connection === 'rest') polling = setTimeout(() => void look().then(pollLater), POLL_MS * pace)
  }

  const look = () => feed.resync().catch(trouble)

  function stop(phase: State['phase'], reason: MeterError): void {
    line = null
    life.abort(reason)
    goStale(phase)
  }

  function connect(): void {
    if (destroyed || !/idle|refused/.test(state.phase)) return
    life = new AbortController()
    const { signal } = life
    change({ phase: 'connecting', error: null })
    try {
      const tokens = createTokenKeeper(options.getToken, pace, signal)
      const parts = { base: baseUrl(options.url), tokens, pace, life: signal }
      watchPage({ awake, interacted: activity === 'interaction' ? pings.interacted : null }, signal)
      loadLine(options).then((createLine) => {
        if (!signal.aborted) line = createLine(parts, hooks)
      }, trouble)
    } catch (error) {
      trouble(error)
    }
  }

  /** The clock may have stood still, and the connection be dead: asking shows both. */
  function awake(): void {
    line?.wake()
    pings.plan(true)
    if (state.phase === 'up') void look()
  }

  function whenUp(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (state.phase === 'up') {
          off('change', look)
          resolve()
        }
      }
      on('change', look)
      look()
    })
  }

  function begin(): AbortSignal {
    connect()
    pings.countAsPing()
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
    start: acts.start,
    end: acts.end,
    ping: acts.ping,
    destroy() {
      destroyed = true
      clear()
      stop('idle', new MeterError('destroyed', 'The meter is gone'))
    },
    subscribe: (listener) => on('change', listener),
    getSnapshot: () => snapshot,
    serverNow: clock.now,
    msUntil: (instant) => Math.max(0, Date.parse(instant) - clock.now()),
  }
}
