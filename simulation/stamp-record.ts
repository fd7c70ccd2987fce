import type { Span } from './facts.js'

/** Which instants servers stamped, as far as gaps of more than a second can be seen in it. */
export interface StampRecord {
  readonly spans: readonly Span[]
  /** The newest stamp. */
  readonly newest: number
  /** A single stamp. */
  add(at: number): void
  /** Stamps one after another from the newest one up to this instant, never more than 3 s apart. */
  goOnTo(at: number): void
}

export function stampRecord(): StampRecord {
  const spans: { from: number; to: number }[] = []
  const newest = () => spans.at(-1)?.to ?? Number.NEGATIVE_INFINITY
  const goOnTo = (at: number): void => {
    const last = spans.at(-1)
    if (last) last.to = Math.max(last.to, at)
  }
  return {
    spans,
    get newest() {
      return newest()
    },
    add(at) {
      // Kept apart where it is more than a second later, so that the auditor, and not this, says what an outage is.
      if (at - newest() <= 1_000) goOnTo(at)
      else spans.push({ from: at, to: at })
    },
    goOnTo,
  }
}
