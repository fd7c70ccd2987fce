import type { EndAnswer, HeartbeatAnswer, StartAnswer } from '../protocol/index.js'
import type { StartOptions } from './credit-meter.js'
import { codeOf, MeterError } from './errors.js'
import type { Core, Feed } from './feed.js'
import type { Questions } from './line.js'
import type { MeterSnapshot } from './snapshot.js'
import { activeAt } from './state.js'
import { within } from './within.js'

/** What a page does. Each waits for the connection, and where the answer is lost finds out what became of it. */
export interface Acts {
  start(options?: StartOptions): Promise<StartAnswer>
  end(): Promise<EndAnswer>
  ping(): Promise<HeartbeatAnswer>
  /** A ping that is not worth a second attempt: the next connection pings anyway. */
  pingOnce(): Promise<HeartbeatAnswer>
}

/** How acts get a connection. */
export interface Reach {
  /** Connects where that is to be done. @returns what ends, with the reason, when there is no more hope of an answer */
  begin(): AbortSignal
  /** Resolves while connected. */
  whenUp(): Promise<void>
  readonly pace: number
}

/** Until an act is given up, reconnects included. */
const ACT_MS = 30_000

export function createActs(core: Core, feed: Feed, { begin, whenUp, pace }: Reach): Acts {
  const { livestreamId: livestream_id, ask, state, snapshot, change } = core

  /** Tries until there is an answer; a lost connection is waited out, up to the limit. */
  function insist<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    let over = false
    const late = () => new MeterError('timeout', `No answer to ${what} in time`)
    const trying = async (): Promise<T> => {
      await whenUp()
      if (over) throw late()
      return attempt().catch((error: unknown) => {
        if (codeOf(error) !== 'network') throw error
        return trying()
      })
    }
    const answer = within(ACT_MS * pace, begin(), trying(), late)
    const settled = () => {
      over = true
    }
    answer.then(settled, settled)
    return answer
  }

  /** Starts or ends. Where that is so already, by an attempt whose answer was lost or by another page, it has succeeded. */
  function startOrEnd<K extends 'start' | 'end'>(kind: K, request: Questions[K][0]): Promise<Questions[K][1]> {
    let before: number | undefined
    return insist(kind, async () => {
      const { run } = snapshot()
      const runId = run?.run_id ?? 0
      const isDone = kind === 'start' ? runId !== before : run?.end_reason
      if (before !== undefined && isDone) return answerOf(snapshot())
      before = runId
      const answer = await ask(kind, request).catch((refusal: MeterError) => {
        // H1: already live, or no longer live, comes with the run.
        if (!refusal.details.run_id) throw refusal
      })
      await feed.resync().catch((error: unknown) => {
        if (!answer || codeOf(error) === 'network') throw error
      })
      return answer ?? answerOf(snapshot())
    })
  }

  async function pingOnce(): Promise<HeartbeatAnswer> {
    try {
      const answer = await ask('ping', { livestream_id })
      change(activeAt(answer.last_activity, state().run))
      return answer
    } catch (error) {
      // It ended unheard: the snapshot says how.
      if (codeOf(error) === 'livestream_not_live') await feed.resync().catch(() => {})
      throw error
    }
  }

  return {
    start: ({ timeScale } = {}) => startOrEnd('start', { livestream_id, ...(timeScale && { time_scale: timeScale }) }),
    end: () => startOrEnd('end', { livestream_id }),
    ping: () => insist('ping', pingOnce),
    pingOnce,
  }
}

/** What a lost answer must have said. */
function answerOf({ run, end, remaining_credits }: MeterSnapshot): StartAnswer & EndAnswer {
  return { message: '', ...run, ...end, remaining_credits } as StartAnswer & EndAnswer
}
