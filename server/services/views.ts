import type { LedgerEntryView, LivestreamView, PolicyView, RunView } from '../../client-sdk/protocol/index.js'
import { toTimestamp } from '../domain/instant.js'
import type { Entry } from '../domain/ledger.js'
import type { Policy } from '../domain/policy.js'
import { nextIntervalAt, type Run } from '../domain/run.js'
import { runOutOf, type Tally } from '../domain/tally.js'
import type { Livestream } from '../store/livestreams.js'

// How things look on the wire (SPEC.md, N and S).

/** @param last the livestream's current or else last run, as the database has it once the seller is settled */
export function livestreamView(
  livestream: Livestream,
  last: Run | null,
  tally: Tally,
  connected: boolean,
): LivestreamView {
  return {
    id: livestream.id,
    seller_id: livestream.sellerId,
    title: livestream.title,
    created_at: toTimestamp(livestream.createdAt),
    run: last ? runView(last, tally) : null,
    connected,
  }
}

function runView(run: Run, tally: Tally): RunView {
  const live = run.state === 'live'
  return {
    run_id: run.id,
    status: run.state,
    started_at: toTimestamp(run.startedAt),
    ended_at: live ? null : toTimestamp(run.endedAt),
    end_reason: live ? null : run.endReason,
    credits_consumed: run.creditsConsumed,
    last_activity: toTimestamp(run.lastActivityAt),
    next_deduction_at: live ? toTimestamp(nextIntervalAt(run)) : null,
    credits_run_out_at: live ? toTimestamp(runOutOf(tally, run)) : null,
  }
}

export function policyView(policy: Policy): PolicyView {
  return {
    deduction_interval_ms: policy.intervalMs,
    inactivity_warning_ms: policy.warningMs,
    inactivity_auto_end_ms: policy.autoEndMs,
    low_credit_threshold: policy.lowCreditThreshold,
  }
}

export function entryView(entry: Entry): LedgerEntryView {
  return {
    id: entry.id,
    kind: entry.kind,
    amount: entry.amount,
    balance_after: entry.balanceAfter,
    livestream_id: entry.interval?.livestreamId ?? null,
    run_id: entry.interval?.runId ?? null,
    interval_index: entry.interval?.intervalIndex ?? null,
    reason: entry.reason,
    corrects: entry.corrects,
    occurred_at: toTimestamp(entry.occurredAt),
    created_at: toTimestamp(entry.createdAt),
  }
}
