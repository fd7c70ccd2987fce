import { createDirectLine } from './direct-line.js'
import { lost } from './errors.js'
import type { Line, LineHooks, LineParts, Via } from './line.js'
import { openRestLink } from './rest-link.js'

/** What a leader says: where it stands, or an event that it passes on. The others say nothing but null: who leads? */
type Message = { term: number; via?: Via | null; kind?: string; payload?: unknown } | null

/** After so many questions that no leader answered, its page must be frozen. One that is closed is replaced at once. */
const MOST_MISSED = 3
const PROBE_MS = 1_500

/** Whom a token is of, unverified: that is the server's part. */
function sellerOf(token: string): unknown {
  const [, payload = ''] = token.split('.')
  return JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/'))).sub
}

/**
 * One connection between the tabs of a seller. The tab that holds the lock leads: it has the connection, and passes on
 * what comes. When it is closed, the lock falls to the next; when it is frozen, another steals it. Each tab keeps its own
 * place in the sequence, so that nothing is missed or heard twice when the leader changes. What a tab asks for it asks by
 * itself, over REST: that needs no connection to be held, and no leader to be awake.
 */
export function createSharedLine(parts: LineParts, hooks: LineHooks): Line {
  const { base, tokens, pace, life } = parts
  const follower = openRestLink(parts, { ...hooks, down: unfollow, expiring() {} })
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
  let release = () => {}
  let timer: ReturnType<typeof setTimeout> | undefined

  const say = (message: Message) => channel?.postMessage(message)

  /** The lock is named after the seller, whom only a token tells. */
  async function join(): Promise<void> {
    name = `tallylight ${base} ${sellerOf(await tokens.get())}`
    if (life.aborted) return
    channel = new BroadcastChannel(name)
    channel.onmessage = ({ data }: MessageEvent<Message>) => hear(data)
    queue({ signal: life })
    tick()
  }

  function queue(how: LockOptions): void {
    const lead = () =>
      new Promise<void>((resolve) => {
        release = resolve
        if (life.aborted) resolve()
        else begin()
      })
    navigator.locks.request(name, how, lead).catch(() => {
      if (life.aborted) return
      // Stolen: this page was frozen, and another leads.
      own = null
      reign.abort(lost('another tab leads'))
      hooks.down()
      queue({ signal: life })
    })
  }

  function begin(): void {
    unfollow()
    term = Math.max(Date.now(), term + 1)
    reign = new AbortController()
    const standAt = (via: Via | null) => {
      ownVia = via
      say({ term, via })
    }
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
          standAt(via)
        },
        down() {
          hooks.down()
          standAt(null)
        },
      },
    )
  }

  function tick(): void {
    if (!own) {
      missed += 1
      if (missed > MOST_MISSED) {
        missed = 0
        unfollow()
        queue({ steal: true })
      }
      say(null)
    }
    timer = setTimeout(tick, PROBE_MS * pace)
  }

  function hear(message: Message): void {
    if (own) {
      if (!message) say({ term, via: ownVia })
      // One that was frozen, was replaced, and does not know it yet, has an earlier term.
    } else if (message && message.term >= term) {
      missed = 0
      const { kind, payload, via = null } = message
      if (kind) hooks.event(kind, payload)
      else if (message.term > term || via !== leaderVia) follow(message.term, via)
    }
  }

  function follow(theirTerm: number, via: Via | null): void {
    unfollow()
    term = theirTerm
    leaderVia = via
    if (!via) return
    hooks.up(via).catch((error: unknown) => {
      if (own) return
      // The leader's next word is taken for news.
      unfollow()
      hooks.trouble(error)
    })
  }

  function unfollow(): void {
    leaderVia = null
    hooks.down()
  }

  life.addEventListener('abort', () => {
    clearTimeout(timer)
    channel?.close()
    reign.abort(life.reason)
    release()
  })
  // Of an unknown seller there is nothing to share.
  join().catch(() => {
    if (!life.aborted) own = createDirectLine(parts, hooks)
  })
  return {
    ask: (kind, request) => (own ?? follower).ask(kind, request),
    wake: () => (own ? own.wake() : say(null)),
  }
}
