import type { Clock } from '../server/clock.js'

/** True time, which only ever goes on, and what the clock of the nodes makes of it. */
export interface WorldTime {
  /** The clock that all nodes and commands read. It never runs backwards (SPEC.md, "Words"). */
  readonly clock: Clock
  /** Milliseconds of true time since the world began. */
  now(): number
  goTo(trueMs: number): void
  /** The wall clock is set forward, or back where it is negative: then `clock` stands still until it has caught up. */
  setWall(byMs: number): void
  /** When in true time the clock will show an instant: now, where it shows it already. */
  whenShows(instant: number): number
}

/** What the clock shows when a world begins: a whole half hour, so that whole minutes meet. */
export const WORLD_BEGAN_AT = Date.UTC(2026, 0, 1)

export function worldTime(): WorldTime {
  let trueMs = 0
  let wallAhead = WORLD_BEGAN_AT
  let latest = WORLD_BEGAN_AT
  const tick = () => {
    latest = Math.max(latest, trueMs + wallAhead)
  }
  return {
    clock: { now: () => latest, wallNow: () => trueMs + wallAhead },
    now: () => trueMs,
    goTo(to) {
      trueMs = Math.max(trueMs, to)
      tick()
    },
    setWall(byMs) {
      wallAhead += byMs
      tick()
    },
    whenShows: (instant) => (instant <= latest ? trueMs : instant - wallAhead),
  }
}
