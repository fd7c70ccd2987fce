import type { Address } from './address.js'
import { asMeterError, lost, MeterError } from './errors.js'
import type { Line, LineHooks, Link, LinkHooks } from './line.js'
import { createRest, openRestLink } from './rest.js'
import { type OpeningSocket, openSocket } from './socket-link.js'
import { backoffMs, type Timing } from './timing.js'
import type { TokenKeeper } from './token-keeper.js'

/** The ways to reach a server, the first being tried first. */
export type Transport = 'websocket' | 'polling' | 'rest'

export interface LineParts {
  readonly address: Address
  readonly tokens: TokenKeeper
  readonly transports: readonly Transport[]
  readonly timing: Timing
  /** Ends the line, with all that it has open. */
  readonly life: AbortSignal
}

/** After so many attempts in a row that brought no socket about, REST is tried too. */
const ATTEMPTS_BEFORE_REST = 2
/** A page that flickers calls the server no oftener. */
const WAKES_APART_MS = 1_000

/** This page's own connection: a socket, or REST where there is none to be had. Mends itself for ever, with full jitter. */
export function createDirectLine({ address, tokens, transports, timing, life }: LineParts, hooks: LineHooks): Line {
  const socketTransports = transports.filter((transport) => transport !== 'rest')
  const rest = createRest(address, tokens, timing.askMs, life)
  let link: Link | null = null
  let opening: OpeningSocket | null = null
  let busy = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let renewal: ReturnType<typeof setTimeout> | undefined
  let shownToken = ''
  let attempts = 0
  let socketFailures = 0
  /** When the link was entered, and the last attempt was made. */
  let upAt = 0
  let triedAt = -WAKES_APART_MS

  const linkHooks: LinkHooks = {
    event: hooks.event,
    tokenExpiring: (mine) => void renew(mine),
    down(gone, afterMs) {
      if (gone !== link) return
      link = null
      if (performance.now() - upAt > timing.steadyMs) attempts = 0
      hooks.down()
      plan(afterMs)
    },
  }

  function plan(afterMs?: number): void {
    clearTimeout(timer)
    if (busy || life.aborted) return
    if (!link) {
      timer = setTimeout(attempt, afterMs ?? backoffMs(attempts))
      attempts += 1
    } else if (link.via === 'rest' && socketTransports.length > 0) timer = setTimeout(attempt, timing.socketRetryMs)
  }

  async function attempt(): Promise<void> {
    if (busy || life.aborted) return
    busy = true
    clearTimeout(timer)
    triedAt = performance.now()
    await connect().catch(fail)
    busy = false
    plan()
  }

  /** While REST serves, a socket that does not come about is no trouble. */
  function fail(thrown: unknown): void {
    const error = asMeterError(thrown)
    if (life.aborted) return
    if (error.terminal) hooks.refused(error)
    else if (!link) hooks.trouble(error)
  }

  async function connect(): Promise<void> {
    if (socketTransports.length > 0) {
      try {
        await enter(await tokens.use(socketWith))
        socketFailures = 0
        return
      } catch (error) {
        socketFailures += 1
        const isHopeless = transports.includes('rest') && socketFailures >= ATTEMPTS_BEFORE_REST && !link
        if (!isHopeless || asMeterError(error).code !== 'network') throw error
      }
    }
    await enter(openRestLink(rest, linkHooks))
  }

  function socketWith(token: string): Promise<Link> {
    shownToken = token
    // A network can swallow one transport without a word, so each has its turn to be the first.
    const order = socketFailures % 2 === 0 ? socketTransports : [...socketTransports].reverse()
    opening = openSocket(address, token, order, timing, rest, linkHooks)
    return opening.opened
  }

  async function enter(next: Link): Promise<void> {
    link = next
    upAt = performance.now()
    try {
      await hooks.up(next.via)
    } catch (error) {
      link = null
      next.close()
      hooks.down()
      throw error
    }
  }

  /** P2: on the open connection. */
  async function renew(mine: Link): Promise<void> {
    if (mine !== link) return
    try {
      await tokens.use(async (token) => {
        if (token === shownToken) throw new MeterError('get_token_failed', 'getToken gave the same token again')
        shownToken = token
        await mine.ask('renew', { token })
      }, true)
    } catch (thrown) {
      const error = asMeterError(thrown)
      if (mine !== link) return
      if (error.terminal) {
        hooks.refused(error)
        return
      }
      hooks.trouble(error)
      clearTimeout(renewal)
      renewal = setTimeout(renew, timing.renewMs, mine)
    }
  }

  life.addEventListener('abort', () => {
    clearTimeout(timer)
    clearTimeout(renewal)
    opening?.close()
    const last = link
    link = null
    last?.close()
  })
  void attempt()
  return {
    ask: (kind, request) => (link ? link.ask(kind, request) : Promise.reject(lost('none'))),
    wake() {
      if (link?.via !== 'socket' && performance.now() - triedAt > WAKES_APART_MS) void attempt()
    },
  }
}
