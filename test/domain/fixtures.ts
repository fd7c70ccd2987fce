import type { CreditRequest } from '../../server/domain/acts.js'
import { MINUTE_MS } from '../../server/domain/instant.js'
import type { Account, NewEntry } from '../../server/domain/ledger.js'
import type { Outage } from '../../server/domain/outage.js'
import { conclude, type NumberedEvent, type Outcome } from '../../server/domain/outcome.js'
import type { Policy } from '../../server/domain/policy.js'
import { type LiveRun, newRun } from '../../server/domain/run.js'
import { settle } from '../../server/domain/settle.js'
import type { Tally } from '../../server/domain/tally.js'

/** The defaults of SPEC.md, C. */
export const POLICY: Policy = {
  intervalMs: 30 * MINUTE_MS,
  warningMs: 10 * MINUTE_MS,
  autoEndMs: 15 * MINUTE_MS,
  lowCreditThreshold: 2,
  refundGraceMs: 0,
}

/** Examples begin at instant 0, and tell their instants in minutes. */
export function minutes(count: number): number {
  return count * MINUTE_MS
}

export function account(balance: number): Account {
  return { sellerId: 'seller', balance, lastSeq: 0 }
}

/** A run that started at instant 0 and has paid for its first interval; `activeAt` is its last activity. */
export function liveRun({ activeAt = 0, ...more }: Partial<LiveRun> & { activeAt?: number } = {}): LiveRun {
  const { id = 1, livestreamId = 'show', startedAt = 0, policy = POLICY } = more
  return {
    ...newRun(id, livestreamId, 'seller', startedAt, policy),
    billedIntervals: 1,
    creditsConsumed: 1,
    lastActivityAt: activeAt,
    silentSince: activeAt,
    ...more,
  }
}

/** A run that is never silent, for examples that are about credits alone. */
export function tirelessRun(more: Partial<LiveRun> = {}): LiveRun {
  return liveRun({ activeAt: minutes(1_000_000), ...more })
}

/** What one transaction writes: settles, acts, concludes. */
export function transaction(
  given: { credits: number; runs?: readonly LiveRun[]; outages?: readonly Outage[]; at: number },
  act: (tally: Tally) => void = () => {},
): Outcome {
  const tally = settle(account(given.credits), given.runs ?? [], given.outages ?? [], given.at)
  act(tally)
  return conclude(tally)
}

export const REQUEST: CreditRequest = { idempotencyKey: 'key', request: '{}', reason: null }

/** An entry in a line: `deduction -1 = 4, run 1 #2 at 60 min`. */
export function entryLine({ kind, amount, balanceAfter, interval, occurredAt }: NewEntry): string {
  const about = interval ? `run ${interval.runId} #${interval.intervalIndex} ` : ''
  return `${kind} ${amount} = ${balanceAfter}, ${about}at ${occurredAt / MINUTE_MS} min`
}

/** An end in a line: `run 1 inactivity at 15 min`. */
export function endLines({ runs }: Outcome): string[] {
  return runs.flatMap((run) =>
    run.state === 'ended' ? [`run ${run.id} ${run.endReason} at ${run.endedAt / MINUTE_MS} min`] : [],
  )
}

/** The live run with this id, after a transaction. */
export function stillLive({ runs }: Outcome, id = 1): LiveRun {
  const run = runs.find((candidate) => candidate.id === id)
  if (run?.state !== 'live') throw new Error(`Run ${id} is not live`)
  return run
}

export function eventsOf<K extends NumberedEvent['kind']>(
  { events }: { events: readonly NumberedEvent[] },
  kind: K,
): (NumberedEvent & { kind: K })[] {
  return events.filter((event): event is NumberedEvent & { kind: K } => event.kind === kind)
}
