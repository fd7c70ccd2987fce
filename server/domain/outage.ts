import type { Instant } from './instant.js'
import type { LiveRun } from './run.js'

/** A gap of more than this in the stamps of all servers together is an outage (A5). */
export const LONGEST_GAP_MS = 3_000

/** A time in which no server was there to hear anybody. Open while no server has stamped again. */
export interface Outage {
  readonly beganAt: Instant
  readonly endedAt: Instant | null
}

/** Whether an interval that begins at `at` is waived: nobody could prove presence or end the run (B12). */
export function isWaived(at: Instant, autoEndMs: number, outages: readonly Outage[]): boolean {
  return outages.some(({ beganAt, endedAt }) => at > beganAt + autoEndMs && (endedAt === null || at <= endedAt))
}

export interface Silence {
  /** Where the silence counts from, after all outages. */
  readonly silentSince: Instant
  /** The end of the first outage that restarted it, if one did. */
  readonly restartedAt: Instant | null
}

/**
 * Where a run's silence counts from: each outage that begins before the run's deadline restarts it (A5).
 *
 * @param outages in the order of their beginnings; they never overlap
 */
export function silenceOf(run: LiveRun, outages: readonly Outage[]): Silence {
  const { autoEndMs } = run.policy
  let silentSince = run.silentSince
  let restartedAt: Instant | null = null
  for (const { beganAt, endedAt } of outages) {
    if (endedAt !== null && endedAt <= silentSince) continue
    if (endedAt === null || beganAt >= silentSince + autoEndMs) break
    silentSince = endedAt
    restartedAt ??= endedAt
  }
  return { silentSince, restartedAt }
}

/**
 * When a run ends for want of activity; Infinity while an open outage holds that up (A5).
 *
 * @param run its silence is as `silenceOf` told
 * @param outages the open one last
 */
export function deadlineOf(run: LiveRun, outages: readonly Outage[]): Instant {
  const deadline = run.silentSince + run.policy.autoEndMs
  const last = outages.at(-1)
  return last?.endedAt === null && last.beganAt < deadline ? Number.POSITIVE_INFINITY : deadline
}
