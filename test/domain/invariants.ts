import * as assert from 'uvu/assert'
import { EVENT_KINDS } from '../../client-sdk/protocol/index.js'
import { toTimestamp } from '../../server/domain/instant.js'
import type { NewEntry } from '../../server/domain/ledger.js'
import type { Outcome } from '../../server/domain/outcome.js'
import type { World } from './world.js'

/** What holds of every single transaction. */
export function checkTransaction(world: World, outcome: Outcome): void {
  assert.equal(
    outcome.events.map((event) => event.payload.seq),
    outcome.events.map((_, index) => world.account.lastSeq + 1 + index),
    'V2: events continue the sequence',
  )
  assert.is(outcome.lastSeq, world.account.lastSeq + outcome.events.length, 'V2: the account knows its newest event')
  const ranks = outcome.events.map((event) => EVENT_KINDS.indexOf(event.kind))
  assert.equal(
    ranks,
    ranks.toSorted((a, b) => a - b),
    'V4: events in the order of their kinds',
  )
  let balance = world.account.balance
  for (const entry of outcome.entries) {
    balance += entry.amount
    assert.is(entry.balanceAfter, balance, 'B7: each entry has the balance after it')
    assert.ok(balance >= 0, 'B3: never negative')
  }
  assert.is(outcome.balance, balance, 'B7: the balance is the sum of the entries')
}

const intervalKey = ({ interval }: NewEntry) => `${interval?.runId}#${interval?.intervalIndex}`

function assertUnique(keys: readonly string[], message: string): void {
  assert.is(new Set(keys).size, keys.length, `${message}: ${keys}`)
}

/** What holds of a whole history, however it was looked at. */
export function checkWorld(world: World): void {
  checkLedger(world)
  checkEvents(world)
  for (const { run } of world.runs.values()) {
    if (run.state === 'ended') checkEnd(world, run.id)
  }
}

function checkLedger({ ledger, runs }: World): void {
  const deductions = ledger.filter(({ kind }) => kind === 'deduction').map(intervalKey)
  const refunds = ledger.filter(({ kind }) => kind === 'refund').map(intervalKey)
  assertUnique(deductions, 'B5: one deduction an interval')
  assertUnique(refunds, 'B10: one refund an interval')
  for (const refund of refunds)
    assert.ok(deductions.includes(refund), `B10: ${refund} was paid before it was given back`)
  for (const { run } of runs.values()) {
    const spent = ledger.reduce((sum, { interval, amount }) => sum - (interval?.runId === run.id ? amount : 0), 0)
    // What a refund after the end leaves of it is the store's to say.
    if (run.state === 'live') assert.is(run.creditsConsumed, spent, `B7: what run ${run.id} consumed`)
  }
}

function checkEvents({ ledger, events, account, runs }: World): void {
  assert.equal(
    events.map((event) => event.payload.seq),
    events.map((_, index) => index + 1),
    'V2: 1, 2, 3, …',
  )
  assert.equal(
    events.flatMap(({ kind, payload }) =>
      kind === 'credit_update'
        ? [[payload.kind, payload.change, payload.remaining_credits, payload.interval_index, payload.occurred_at]]
        : [],
    ),
    ledger.map((entry) => [
      entry.kind,
      entry.amount,
      entry.balanceAfter,
      entry.interval?.intervalIndex ?? null,
      toTimestamp(entry.occurredAt),
    ]),
    'V1: each entry has its credit_update',
  )
  const remaining = events.flatMap(({ payload }) => ('remaining_credits' in payload ? [payload.remaining_credits] : []))
  assert.is(remaining.at(-1) ?? 0, account.balance, 'the newest event tells the balance')
  const finals = events.flatMap(({ kind, at, payload }) => {
    if (kind !== 'low_credit_warning' || !payload.final) return []
    const run = runs.get(payload.run_id ?? 0)?.run
    assert.ok(run, 'B9: a final interval is a run’s')
    return run ? [`${run.id}#${Math.floor((at - run.startedAt) / run.policy.intervalMs)}`] : []
  })
  assertUnique(finals, 'B9: told once an interval')
}

/** E4: nothing of a run after its end, and B6: no interval that begins at or after a deadline. */
function checkEnd({ runs, ledger, events }: World, runId: number): void {
  const run = runs.get(runId)?.run
  if (run?.state !== 'ended') return
  const last = events.findLastIndex(({ kind, payload }) => payload.run_id === runId && kind !== 'credit_update')
  assert.is(events[last]?.kind, 'stream_ended', `E4: run ${runId} ends with its end`)
  for (const entry of ledger) {
    if (entry.kind !== 'deduction' || entry.interval?.runId !== runId) continue
    const late = entry.occurredAt > run.endedAt
    const atDeadline = entry.occurredAt === run.endedAt && run.endReason !== 'seller' && run.endReason !== 'operator'
    assert.not.ok(late || atDeadline, `B6: ${intervalKey(entry)} is paid though the run ended at ${run.endedAt}`)
  }
  for (const { kind, payload } of events.slice(last)) {
    const deduction = kind === 'credit_update' && payload.kind === 'deduction' && payload.run_id === runId
    assert.not.ok(deduction, `E4: a deduction is told after the end of run ${runId}`)
  }
}
