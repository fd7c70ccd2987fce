import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { end, moveCredits, refundDeduction, start } from '../../server/domain/acts.js'
import { toTimestamp } from '../../server/domain/instant.js'
import type { Outcome } from '../../server/domain/outcome.js'
import { eventsOf, minutes, POLICY, REQUEST, stillLive, tirelessRun, transaction } from './fixtures.js'

/** A warning in a line: `run 1 final at 30 min, out at 60 min`. */
function warnings(outcome: Outcome): string[] {
  return eventsOf(outcome, 'low_credit_warning').map(({ at, payload }) => {
    const out = payload.credits_run_out_at
    const until = out === null ? '' : `, out at ${Date.parse(out) / minutes(1)} min`
    return `run ${payload.run_id} ${payload.final ? 'final' : 'low'} at ${at / minutes(1)} min${until}`
  })
}

const grant = (amount: number) => (tally: Parameters<typeof moveCredits>[0]) => moveCredits(tally, amount, REQUEST, 2)

const crossings = [
  { credits: 4, told: [] },
  { credits: 3, told: ['run 1 low at 30 min, out at 120 min'] },
  { credits: 2, told: ['run 1 low at 30 min, out at 90 min'] },
  { credits: 1, told: ['run 1 final at 30 min, out at 60 min'] },
]
for (const { credits, told } of crossings) {
  test(`B9: a deduction that leaves ${credits - 1} of a threshold of 2 tells ${told[0] ?? 'nothing'}`, () => {
    assert.equal(warnings(transaction({ credits, runs: [tirelessRun()], at: minutes(30) })), told)
  })
}

test('B9: a start that takes the last credit is warned of its final interval at once', () => {
  const outcome = transaction({ credits: 1, at: 0 }, (tally) => start(tally, 1, 'show', POLICY))
  assert.equal(warnings(outcome), ['run 1 final at 0 min, out at 30 min'])
})

test('B9, V4: a late look tells the newest low balance and the final interval, each at its own instant', () => {
  // 30 and 60 min leave 2 and 1; 90 min leaves 0, the final interval.
  assert.equal(warnings(transaction({ credits: 3, runs: [tirelessRun()], at: minutes(89) })), [
    'run 1 low at 60 min, out at 120 min',
  ])
  assert.equal(warnings(transaction({ credits: 3, runs: [tirelessRun()], at: minutes(100) })), [
    'run 1 final at 90 min, out at 120 min',
  ])
})

test('B9: nothing is told when the instant of the end has passed', () => {
  assert.equal(warnings(transaction({ credits: 1, runs: [tirelessRun()], at: minutes(60) })), [])
})

test('B9: told once for an interval, also when it was made good and undone again', () => {
  const told = transaction({ credits: 1, runs: [tirelessRun()], at: minutes(30) })
  const granted = transaction({ credits: 0, runs: [stillLive(told)], at: minutes(31) }, grant(1))
  const undone = transaction({ credits: 1, runs: [stillLive(granted)], at: minutes(32) }, grant(-1))
  assert.equal([warnings(told).length, warnings(granted).length], [1, 0])
  assert.equal(
    warnings(undone),
    ['run null low at 32 min, out at 60 min'],
    'the account is low, the interval is old news',
  )
})

test('B9: told anew for the next interval', () => {
  const told = transaction({ credits: 1, runs: [tirelessRun()], at: minutes(30) })
  const granted = transaction({ credits: 0, runs: [stillLive(told)], at: minutes(31) }, grant(1))
  const next = transaction({ credits: 1, runs: [stillLive(granted)], at: minutes(60) })
  assert.equal(warnings(next), ['run 1 final at 60 min, out at 90 min'])
})

test('B9: an adjustment that takes the next interval’s credit tells the account and the run', () => {
  const outcome = transaction({ credits: 1, runs: [tirelessRun()], at: minutes(5) }, grant(-1))
  assert.equal(warnings(outcome), ['run null low at 5 min, out at 30 min', 'run 1 final at 5 min, out at 30 min'])
})

test('B9: an adjustment warns though nothing is live', () => {
  assert.equal(warnings(transaction({ credits: 3, at: 0 }, grant(-1))), ['run null low at 0 min'])
  assert.equal(warnings(transaction({ credits: 4, at: 0 }, grant(-1))), [])
})

test('B9: an interval is final as soon as another run will spend the last credit', () => {
  const runs = [tirelessRun({ id: 1 }), tirelessRun({ id: 2, startedAt: minutes(10) })]
  // Of two credits run 1 takes one at 30 min, which leaves one: run 2 will take it at 40 min, before run 1 can at 60 min.
  assert.equal(warnings(transaction({ credits: 2, runs, at: minutes(35) })), ['run 1 final at 30 min, out at 60 min'])
  assert.equal(warnings(transaction({ credits: 2, runs, at: minutes(45) })), [
    'run 1 final at 30 min, out at 60 min',
    'run 2 final at 40 min, out at 70 min',
  ])
})

test('B9: a start beside a live run can make that run’s interval final', () => {
  const outcome = transaction({ credits: 1, runs: [tirelessRun()], at: minutes(20) }, (tally) =>
    start(tally, 2, 'other', POLICY),
  )
  assert.equal(warnings(outcome), ['run 1 final at 20 min, out at 30 min', 'run 2 final at 20 min, out at 50 min'])
})

test('B9: the end of one run lets the other go on', () => {
  const runs = [tirelessRun({ id: 1 }), tirelessRun({ id: 2 })]
  // At 30 min each pays, and of the one credit left run 1 will have it: the interval is final for run 2 only.
  assert.equal(warnings(transaction({ credits: 3, runs, at: minutes(30) })), [
    'run 1 low at 30 min, out at 90 min',
    'run 2 final at 30 min, out at 60 min',
  ])
  const ended = transaction({ credits: 3, runs, at: minutes(31) }, (tally) => end(tally, 1, 'seller'))
  assert.equal(warnings(ended), ['run 2 low at 30 min, out at 90 min'])
})

test('B9, V4: a low balance that a grant in the same transaction made good is not told', () => {
  assert.equal(warnings(transaction({ credits: 3, runs: [tirelessRun()], at: minutes(30) }, grant(10))), [])
})

test('B9: a refund before the warning is told lets the run go on', () => {
  const interval = { livestreamId: 'show', runId: 1, intervalIndex: 0 }
  const outcome = transaction({ credits: 1, runs: [tirelessRun()], at: minutes(30) }, (tally) =>
    refundDeduction(tally, interval, REQUEST),
  )
  assert.equal(warnings(outcome), ['run 1 low at 30 min, out at 90 min'])
})

test('B9: the warning tells what remains and the threshold', () => {
  const [warning] = eventsOf(transaction({ credits: 2, runs: [tirelessRun()], at: minutes(30) }), 'low_credit_warning')
  assert.equal(warning?.payload, {
    seq: 2,
    occurred_at: toTimestamp(minutes(30)),
    livestream_id: 'show',
    run_id: 1,
    remaining_credits: 1,
    threshold: 2,
    final: false,
    credits_run_out_at: toTimestamp(minutes(90)),
  })
})

test.run()
