import { asMeterError, lost, MeterError } from './errors.js'
import type { Line, LineHooks, LineParts, Link, LinkHooks } from './line.js'
import { openRestLink } from './rest-link.js'
import { openSocket, type Socket } from './socket-link.js'
import { backoffMs, LONGEST_TIMER_MS } from './timing.js'

/** A connection that held for so long starts its next backoff from the beginning. */
const STEADY_MS = 10_000
/** Between two attempts to get back from REST to a socket. */
const SOCKET_RETRY_MS = 60_000

/** This page's own connection: a socket, or REST where there is none to be had. Mends itself for ever, with full jitter. */
export function createDirectLine(parts: LineParts, hooks: LineHooks): Line {
  const { tokens, pace, life } = parts
  let link: Link | null = null
  let opening: Socket | null = null
  let shownToken = ''
  /** In a row, of sockets that did not come about. */
  let failures = 0
  /** When a server that drains wants to be called again. */
  let afterMs: number | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let rouse = () => {}

  const linkHooks: LinkHooks = {
    event: hooks.event,
    expiring: renew,
    down(gone, drainMs) {
      if (gone !== link) return
      link = null
      afterMs = drainMs
      hooks.down()
      rouse()
    },
  }
  const restLink = openRestLink(parts, linkHooks)

  /** Sleeps for so long, or until something happens. */
  function sleep(ms: number): Promise<void> {
    return new Promise<void>((resolve) => {
      rouse = resolve
      timer = setTimeout(resolve, ms)
    }).finally(() => clearTimeout(timer))
  }

  async function mend(): Promise<void> {
    let attempts = 0
    let triedAt = 0
    while (!life.aborted) {
      if (!link) triedAt = performance.now()
      await attempt()
      if (link) await sleep(link === restLink ? SOCKET_RETRY_MS * pace : LONGEST_TIMER_MS)
      if (link || life.aborted) continue
      if (performance.now() - triedAt > STEADY_MS * pace) attempts = 0
      await sleep(afterMs ?? backoffMs(attempts))
      attempts += 1
      afterMs = undefined
    }
  }

  /** Tries a socket; every third time in vain REST. While REST serves, a socket that does not come about is no trouble. */
  async function attempt(): Promise<void> {
    const overRest = !link && failures % 3 === 2
    try {
      await enter(overRest ? restLink : await tokens.use(socketWith))
      if (!overRest) failures = 0
    } catch (thrown) {
      const error = asMeterError(thrown)
      failures += 1
      if (!link || error.terminal) hooks.trouble(error)
    }
  }

  function socketWith(token: string): Promise<Link> {
    shownToken = token
    // A network can swallow one transport without a word, so each has its turn to be the first.
    const order = failures % 3 ? ['polling', 'websocket'] : ['websocket', 'polling']
    opening = openSocket(parts, token, order, linkHooks)
    return opening.opened
  }

  async function enter(next: Link): Promise<void> {
    link = next
    try {
      await hooks.up(next.via)
    } catch (error) {
      link = null
      next.close()
      hooks.down()
      throw error
    }
  }

  /** P2: on the open connection. Where it fails, the connection ends with its token, and the next one asks for another. */
  function renew(mine: Link): void {
    const show = async (token: string) => {
      if (token === shownToken) throw new MeterError('get_token_failed', 'getToken gave no new token')
      shownToken = token
      await mine.ask('renew', { token })
    }
    tokens.use(show, true).catch(hooks.trouble)
  }

  life.addEventListener('abort', () => {
    opening?.close()
    const last = link
    link = null
    last?.close()
    rouse()
  })
  void mend()
  return {
    ask: (kind, request) => (link ? link.ask(kind, request) : Promise.reject(lost('none'))),
    wake() {
      if (!link || link === restLink) rouse()
    },
  }
}
