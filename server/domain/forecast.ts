import { type Instant, LAST_INSTANT } from './instant.js'
import { type LiveRun, nextIntervalAt } from './run.js'

/** How many of a run's coming intervals begin at or before `at`. */
function intervalsUntil(run: LiveRun, at: Instant): number {
  const next = nextIntervalAt(run)
  return at < next ? 0 : Math.floor((at - next) / run.policy.intervalMs) + 1
}

function intervalsOfAll(runs: readonly LiveRun[], at: Instant): number {
  return runs.reduce((sum, run) => sum + intervalsUntil(run, at), 0)
}

/**
 * When each run would end if nothing is granted and all of them go on (SPEC.md, S). All coming intervals, in time order
 * and ties to the older run (B4), take one credit each; the first `balance` of them are paid, and a run ends at its
 * first interval that is not. Found by bisection over the instant up to which everything can be paid, so it costs the
 * same for ten credits and for a billion.
 *
 * @param runs the live runs of one seller, oldest first
 * @returns an instant for each run, in the same order, at most `LAST_INSTANT`
 */
export function creditsRunOutAt(balance: number, runs: readonly LiveRun[]): Instant[] {
  if (runs.length === 0) return []
  const [only] = runs
  if (runs.length === 1 && only) {
    return [Math.min(LAST_INSTANT, nextIntervalAt(only) + balance * only.policy.intervalMs)]
  }
  // Everything up to `paid` can be paid, something at or before `unpaid` cannot.
  let paid = Math.min(...runs.map(nextIntervalAt)) - 1
  let unpaid = Math.min(LAST_INSTANT, ...runs.map((run) => nextIntervalAt(run) + balance * run.policy.intervalMs))
  if (intervalsOfAll(runs, unpaid) <= balance) return runs.map(() => LAST_INSTANT)
  while (unpaid - paid > 1) {
    const middle = Math.floor((paid + unpaid) / 2)
    if (intervalsOfAll(runs, middle) <= balance) paid = middle
    else unpaid = middle
  }
  let left = balance - intervalsOfAll(runs, paid)
  return runs.map((run) => {
    const next = nextIntervalAt(run) + intervalsUntil(run, paid) * run.policy.intervalMs
    if (next !== unpaid || left === 0) return Math.min(LAST_INSTANT, next)
    left -= 1
    return Math.min(LAST_INSTANT, next + run.policy.intervalMs)
  })
}
