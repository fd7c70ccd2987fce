import type { EndAnswer, HeartbeatAnswer, StartAnswer } from '../protocol/index.js'
import type { StartOptions } from './credit-meter.js'
import { asMeterError, MeterError } from './errors.js'
import type { Feed } from './feed.js'
import { active } from './knowledge.js'
import type { Ask, Questions } from './line.js'
import type { MeterSnapshot } from './snapshot.js'
import { within } from './within.js'

/** What a page does. Each waits for the connection, and where the answer is lost finds out what became of it. */
export interface Acts {
  start(options: StartOptions): Promise<StartAnswer>
  end(): Promise<EndAnswer>
  ping(): Promise<HeartbeatAnswer>
  /** A ping that is not worth a second attempt: the next connection pings anyway. */
  pingOnce(): Promise<HeartbeatAnswer>
}

export interface ActsParts {
  readonly livestreamId: string
  readonly feed: Feed
  readonly limitMs: number
  readonly ask: Ask
  readonly snapshot: () => MeterSnapshot
  /** Resolves while connected. */
  readonly whenUp: () => Promise<void>
  /** Connects where that is to be done. @returns what ends, with the reason, when there is no more hope of an answer */
  readonly begin: () => AbortSignal
}

export function createActs(parts: ActsParts): Acts {
  const { livestreamId: livestream_id, feed, limitMs, ask, snapshot, whenUp, begin } = parts

  /** Tries until there is an answer; a lost connection is waited out, up to the limit. */
  function insist<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    let over = false
    const late = () => new MeterError('timeout', `No answer to ${what} within ${limitMs / 1000} s`)
    const trying = async (): Promise<T> => {
      for (;;) {
        await whenUp()
        if (over) throw late()
        try {
          return await attempt()
        } catch (error) {
          if (asMeterError(error).code !== 'network') throw error
        }
      }
    }
    const answer = within(limitMs, begin(), trying(), late).finally(() => {
      over = true
    })
    answer.catch(() => {})
    return answer
  }

  /** Starts or ends. Where that is so already, by an attempt whose answer was lost or by another page, it has succeeded. */
  function change<K extends 'start' | 'end'>(kind: K, request: Questions[K][0]): Promise<Questions[K][1]> {
    let before: number | undefined
    return insist(kind, async () => {
      const { run } = snapshot()
      const isDone = kind === 'start' ? (run?.run_id ?? 0) !== before : run?.end_reason
      if (before !== undefined && isDone) return answerOf(snapshot())
      before = run?.run_id ?? 0
      const answer = await ask(kind, request).catch((refusal: MeterError) => {
        // H1: already live, or no longer live, comes with the run.
        if (!refusal.details.run_id) throw refusal
      })
      await feed.resync().catch((error: unknown) => {
        if (!answer || asMeterError(error).code === 'network') throw error
      })
      return answer ?? answerOf(snapshot())
    })
  }

  async function pingOnce(): Promise<HeartbeatAnswer> {
    try {
      const answer = await ask('ping', { livestream_id })
      feed.amend((known) => active(known, answer.last_activity))
      return answer
    } catch (error) {
      // It ended unheard: the snapshot says how.
      if (asMeterError(error).code === 'livestream_not_live') await feed.resync().catch(() => {})
      throw error
    }
  }

  return {
    start: ({ timeScale }) => change('start', { livestream_id, ...(timeScale && { time_scale: timeScale }) }),
    end: () => change('end', { livestream_id }),
    ping: () => insist('ping', pingOnce),
    pingOnce,
  }
}

/** What a lost answer must have said. */
function answerOf({ run, end, remaining_credits }: MeterSnapshot): StartAnswer & EndAnswer {
  return { message: 'Livestream started successfully', ...run, ...end, remaining_credits } as StartAnswer & EndAnswer
}
