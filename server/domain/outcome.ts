import { EVENT_KINDS, type EventKind, type EventPayloads } from '../../client-sdk/protocol/index.js'
import { type Instant, toTimestamp, wholeMinutes } from './instant.js'
import type { NewEntry } from './ledger.js'
import { currentInterval, type LiveRun, type Run } from './run.js'
import { runOutOf, runOuts, type TalliedRun, type Tally, type UnnumberedEvent } from './tally.js'

/** An event with its place in the seller's sequence. */
export type NumberedEvent = { [K in EventKind]: { kind: K; at: Instant; payload: EventPayloads[K] } }[EventKind]

/** All that one transaction writes about one seller. */
export interface Outcome {
  readonly sellerId: string
  readonly balance: number
  readonly lastSeq: number
  readonly entries: readonly NewEntry[]
  /** Every run that the tally holds, live and newly ended. */
  readonly runs: readonly Run[]
  readonly events: readonly NumberedEvent[]
}

/**
 * Turns a tally into what is written: words the warnings that are still true and the ends, puts the events into the
 * order of their kinds (V4), and numbers them (V2). The newest event always carries the newest balance: warnings and
 * ends say what remains after the whole transaction.
 */
export function conclude(tally: Tally): Outcome {
  const { events } = tally
  warnOfLowAccount(tally)
  for (const entry of tally.live) {
    warnOfLowCredit(tally, entry)
    tellOfActivity(tally, entry)
  }
  for (const end of tally.ended) events.push(streamEnded(tally, end))
  const rank = (event: UnnumberedEvent) => EVENT_KINDS.indexOf(event.kind)
  // Entries are told in the order of the ledger; sorting is stable, so equal instants keep the order of the runs.
  events.sort((a, b) => rank(a) - rank(b) || a.at - b.at)
  let seq = tally.account.lastSeq
  const numbered = events.map(({ kind, at, payload }) => {
    seq += 1
    return { kind, at, payload: { seq, ...payload } } as NumberedEvent
  })
  return {
    sellerId: tally.account.sellerId,
    balance: tally.balance,
    lastSeq: seq,
    entries: tally.entries,
    runs: [...tally.live, ...tally.ended].map(({ run }) => run),
    events: numbered,
  }
}

/** B9: the newest entry of each run that left the account low, or its final interval; one event where both happened at one instant. */
function warnOfLowCredit(tally: Tally, entry: TalliedRun): void {
  const { run, lowAt, finalSince } = entry
  const warning = (at: Instant, final: boolean): UnnumberedEvent => ({
    kind: 'low_credit_warning',
    at,
    payload: {
      ...about(run, at),
      remaining_credits: tally.balance,
      threshold: run.policy.lowCreditThreshold,
      final,
      credits_run_out_at: toTimestamp(runOutOf(tally, run)),
    },
  })
  const tellFinal = finalSince !== null && run.finalToldInterval !== currentInterval(run)
  // V4: not where a grant in the same transaction has made it good.
  const stillLow = tally.balance <= run.policy.lowCreditThreshold
  if (lowAt !== null && stillLow && !(tellFinal && finalSince === lowAt)) tally.events.push(warning(lowAt, false))
  if (tellFinal) {
    tally.events.push(warning(finalSince, true))
    entry.run = { ...run, finalToldInterval: currentInterval(run) }
  }
}

function warnOfLowAccount(tally: Tally): void {
  if (!tally.accountLow) return
  const { at, threshold } = tally.accountLow
  const outs = runOuts(tally)
  tally.events.push({
    kind: 'low_credit_warning',
    at,
    payload: {
      occurred_at: toTimestamp(at),
      livestream_id: null,
      run_id: null,
      remaining_credits: tally.balance,
      threshold,
      final: false,
      credits_run_out_at: outs.length === 0 ? null : toTimestamp(Math.min(...outs)),
    },
  })
}

/** A3: a warning that is still true, or else that the one told earlier is over. */
function tellOfActivity(tally: Tally, { run, warnedBefore, clearedAt }: TalliedRun): void {
  if (run.warnedAt !== null && run.warnedAt !== warnedBefore) {
    tally.events.push({
      kind: 'inactivity_warning',
      at: run.warnedAt,
      payload: {
        ...about(run, run.warnedAt),
        last_activity: toTimestamp(run.lastActivityAt),
        inactive_minutes: wholeMinutes(tally.now - run.silentSince),
        ends_at: toTimestamp(run.silentSince + run.policy.autoEndMs),
      },
    })
  }
  if (warnedBefore === null || run.warnedAt !== null) return
  const at = clearedAt ?? tally.now
  tally.events.push({
    kind: 'inactivity_cleared',
    at,
    payload: { ...about(run, at), last_activity: toTimestamp(run.lastActivityAt) },
  })
}

function streamEnded(tally: Tally, { run, message }: Tally['ended'][number]): UnnumberedEvent {
  return {
    kind: 'stream_ended',
    at: run.endedAt,
    payload: {
      ...about(run, run.endedAt),
      reason: run.endReason,
      message,
      duration_minutes: wholeMinutes(run.endedAt - run.startedAt),
      credits_consumed: run.creditsConsumed,
      remaining_credits: tally.balance,
    },
  }
}

function about(run: Run | LiveRun, at: Instant): { occurred_at: string; livestream_id: string; run_id: number } {
  return { occurred_at: toTimestamp(at), livestream_id: run.livestreamId, run_id: run.id }
}
