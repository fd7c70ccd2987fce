import { nextPingMs, type PingState } from './timing.js'

/** What a ping is decided by, beside when the last one was. */
export type PingFacts = Omit<PingState, 'lastPingAt' | 'interacted'>

export interface Pings {
  /** Looks anew, since something changed. @param urgent after a reconnect, or when the page is seen again */
  plan(urgent?: boolean): void
  /** There was interaction. */
  interacted(): void
  /** The seller was active by something else than an automatic ping: a start, a ping by hand. */
  countAsPing(): void
  stop(): void
}

/** Pings now and then while a run is live, so that the seller counts as there (A1). */
export function createPings(facts: () => PingFacts, send: () => void): Pings {
  let timer: ReturnType<typeof setTimeout> | undefined
  let lastPingAt = Number.NEGATIVE_INFINITY
  let interacted = false

  function plan(urgent = false): void {
    clearTimeout(timer)
    const waitMs = nextPingMs({ ...facts(), lastPingAt, interacted }, performance.now(), urgent)
    if (waitMs !== null) timer = setTimeout(ping, waitMs)
  }

  function countAsPing(): void {
    lastPingAt = performance.now()
    interacted = false
    plan()
  }

  function ping(): void {
    countAsPing()
    send()
  }

  return {
    plan,
    countAsPing,
    interacted() {
      if (interacted) return
      interacted = true
      plan()
    },
    stop: () => clearTimeout(timer),
  }
}
