import type { Instant } from '../server/domain/instant.js'
import { LARGEST_BATCH } from '../server/services/slices.js'

// What charging could cost at best: the rows that a sweep writes, in batches of the same size, but all of them known beforehand.
// Nothing is looked for, held, stamped or decided. In two forms: `guarded` writes runs, entries and events, and the schema's
// triggers move the account and the consumption, as they do for ours; `bare` writes all four itself, with those triggers
// off. Keys, foreign keys and indexes are on in both. `insert` only inserts the entries and events, into tables of their own
// without foreign keys, in one transaction.

export type LimitForm = 'guarded' | 'bare' | 'insert'

export interface Limit {
  /** Deducts the next intervals of so many runs that are due at an instant; returns how long that took, in ms. */
  charge(form: LimitForm, count: number, now: Instant): Promise<number>
  close(): Promise<void>
}

/** A run that is due, with all that is known of it. */
export interface DueRun {
  readonly id: number
  readonly livestream_id: string
  readonly seller_id: string
  readonly due_at: Instant
  readonly interval_ms: number
  readonly billed_intervals: number
  readonly credits_consumed: number
  readonly balance: number
  readonly last_seq: number
}

export const DUE_RUNS = `select r.id, r.livestream_id, r.seller_id, r.due_at, r.interval_ms, r.billed_intervals,
    r.credits_consumed, a.balance, a.last_seq
  from runs as r join credit_accounts as a on a.seller_id = r.seller_id where r.ended_at is null and r.due_at <=`

/** What is written about one run. */
export interface KnownRows {
  readonly id: number
  readonly livestreamId: string
  readonly sellerId: string
  readonly at: Instant
  readonly nextAt: Instant
  readonly interval: number
  readonly consumed: number
  readonly balance: number
  readonly seq: number
  readonly payload: string
}

/** As many at once as the sweep settles where it has time. */
export function inBatches(runs: readonly DueRun[]): KnownRows[][] {
  const known = runs.map(rowsFor)
  return Array.from({ length: Math.ceil(known.length / LARGEST_BATCH) }, (_, i) =>
    known.slice(i * LARGEST_BATCH, (i + 1) * LARGEST_BATCH),
  )
}

function rowsFor(run: DueRun): KnownRows {
  const interval = run.billed_intervals
  const nextAt = run.due_at + run.interval_ms
  const consumed = run.credits_consumed + 1
  const balance = run.balance - 1
  const seq = run.last_seq + 1
  const payload = JSON.stringify({
    seq,
    occurred_at: new Date(run.due_at).toISOString(),
    livestream_id: run.livestream_id,
    run_id: run.id,
    remaining_credits: balance,
    change: -1,
    kind: 'deduction',
    interval_index: interval,
    runs: [
      {
        livestream_id: run.livestream_id,
        run_id: run.id,
        credits_consumed: consumed,
        next_deduction_at: new Date(nextAt).toISOString(),
        credits_run_out_at: new Date(nextAt + balance * run.interval_ms).toISOString(),
      },
    ],
  })
  const { id, livestream_id: livestreamId, seller_id: sellerId, due_at: at } = run
  return { id, livestreamId, sellerId, at, nextAt, interval, consumed, balance, seq, payload }
}
