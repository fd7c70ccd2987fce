import { createDirectLine, type LineParts } from './direct-line.js'
import { asMeterError, lost } from './errors.js'
import type { Line, LineHooks, Via } from './line.js'
import { createRest, openRestLink } from './rest.js'
import { backoffMs } from './timing.js'
import { claimsOf } from './token-keeper.js'

/** What tabs say to each other: a question for the leader, where the leader stands, or an event that it passes on. */
type Message =
  | { term?: never; kind?: never }
  | { term: number; via: Via | null; kind?: never }
  | { term: number; kind: string; payload: unknown; via?: never }

/** After so many questions that no leader answered, its page must be frozen. One that is closed is replaced at once. */
const MOST_MISSED = 3

/** Whether this browser can share a connection between tabs. */
export function canShare(): boolean {
  return typeof BroadcastChannel !== 'undefined' && globalThis.navigator?.locks !== undefined
}

/**
 * One connection between the tabs of a seller. The tab that holds the lock leads: it has the connection, and passes on
 * what comes. When it is closed, the lock falls to the next; when it is frozen, another steals it. Each tab keeps its own
 * place in the sequence, so that nothing is missed or heard twice when the leader changes. What a tab asks for it asks by
 * itself, over REST: that needs no connection to be held, and no leader to be awake.
 */
export function createSharedLine(parts: LineParts, hooks: LineHooks): Line {
  const { address, tokens, timing, life } = parts
  const rest = createRest(address, tokens, timing.askMs, life)
  const follower = openRestLink(rest, { ...hooks, down: unfollow, tokenExpiring() {} })
  let name = ''
  let channel: BroadcastChannel | null = null
  /** This tab's own connection, while it leads, and how it reaches the server. */
  let own: Line | null = null
  let ownVia: Via | null = null
  let reign = new AbortController()
  /** When the latest leader began, and how it reaches the server as far as this tab has taken notice. */
  let term = 0
  let leaderVia: Via | null = null
  let missed = 0
  let queueing = new AbortController()
  let release = () => {}
  let timer: ReturnType<typeof setTimeout> | undefined

  const say = (message: Message) => channel?.postMessage(message)
  const sayStanding = () => say({ term, via: ownVia })

  /** The lock is named after the seller, whom only a token tells. */
  async function join(failures: number): Promise<void> {
    try {
      const { sub } = claimsOf(await tokens.get())
      if (life.aborted) return
      name = `tallylight ${address.origin}${address.path} ${sub}`
      channel = new BroadcastChannel(name)
      channel.onmessage = ({ data }: MessageEvent<Message>) => hear(data)
      queue({ signal: queueing.signal })
      tick()
    } catch (error) {
      hooks.trouble(error)
      if (!life.aborted) timer = setTimeout(join, backoffMs(failures), failures + 1)
    }
  }

  function queue(how: LockOptions): void {
    const { signal } = queueing
    const lead = () =>
      new Promise<void>((resolve) => {
        release = resolve
        if (life.aborted) resolve()
        else begin()
      })
    navigator.locks.request(name, how, lead).catch(() => {
      if (life.aborted || signal.aborted) return
      // Stolen: this page was frozen, and another leads.
      own = null
      reign.abort(lost('another tab leads'))
      hooks.down()
      queue({ signal })
    })
  }

  function begin(): void {
    unfollow()
    term = Math.max(Date.now(), term + 1)
    reign = new AbortController()
    own = createDirectLine(
      { ...parts, life: reign.signal },
      {
        ...hooks,
        event(kind, payload) {
          hooks.event(kind, payload)
          say({ term, kind, payload })
        },
        async up(via) {
          await hooks.up(via)
          ownVia = via
          sayStanding()
        },
        down() {
          ownVia = null
          hooks.down()
          sayStanding()
        },
      },
    )
  }

  function tick(): void {
    if (!own) {
      missed += 1
      if (missed > MOST_MISSED) steal()
      say({})
    }
    timer = setTimeout(tick, timing.probeMs)
  }

  function steal(): void {
    missed = 0
    unfollow()
    queueing.abort()
    queueing = new AbortController()
    queue({ steal: true })
  }

  function hear(message: Message): void {
    if (own) {
      if (!message.term) sayStanding()
      // One that was frozen, was replaced, and does not know it yet, has an earlier term.
    } else if (message.term && message.term >= term) {
      missed = 0
      if (message.kind) hooks.event(message.kind, message.payload)
      else follow(message.term, message.via ?? null)
    }
  }

  function follow(theirTerm: number, via: Via | null): void {
    if (theirTerm === term && via === leaderVia) return
    unfollow()
    term = theirTerm
    leaderVia = via
    if (!via) return
    hooks.up(via).catch((thrown: unknown) => {
      const error = asMeterError(thrown)
      if (life.aborted || own) return
      if (error.terminal) hooks.refused(error)
      else {
        hooks.trouble(error)
        // The leader's next word is taken for news.
        unfollow()
      }
    })
  }

  function unfollow(): void {
    leaderVia = null
    hooks.down()
  }

  life.addEventListener('abort', () => {
    clearTimeout(timer)
    channel?.close()
    queueing.abort()
    reign.abort(life.reason)
    release()
  })
  void join(0)
  return {
    ask: (kind, request) => (own ?? follower).ask(kind, request),
    wake: () => (own ? own.wake() : say({})),
  }
}
