import { nextPingMs, type PingFacts } from './timing.js'

export interface Pings {
  /** Looks anew, since something changed. @param urgent after a reconnect, or when the page is seen again */
  plan(urgent?: boolean): void
  /** There was interaction. */
  interacted(): void
  /** The seller was active by something else than an automatic ping: a start, a ping by hand. */
  countAsPing(): void
}

/** Pings now and then while a run is live, so that the seller counts as there (A1). */
export function createPings(facts: () => PingFacts, send: () => void): Pings {
  let timer: ReturnType<typeof setTimeout> | undefined
  let lastPingAt = Number.NEGATIVE_INFINITY
  let hasInteracted = false
  /** Until the next ping, or the end of the run: what changes meanwhile must not put it off. */
  let isUrgent = false

  function plan(urgent = false): void {
    clearTimeout(timer)
    const now = facts()
    isUrgent = now.live && (urgent || isUrgent)
    const waitMs = nextPingMs(now, performance.now() - lastPingAt, hasInteracted, isUrgent)
    if (waitMs !== null) timer = setTimeout(ping, waitMs)
  }

  function countAsPing(): void {
    lastPingAt = performance.now()
    hasInteracted = isUrgent = false
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
      if (hasInteracted) return
      hasInteracted = true
      plan()
    },
  }
}
