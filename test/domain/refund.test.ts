import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { end, refundDeduction } from '../../server/domain/acts.js'
import { SECOND_MS } from '../../server/domain/instant.js'
import type { LiveRun } from '../../server/domain/run.js'
import { entryLine, minutes, POLICY, REQUEST, stillLive, tirelessRun, transaction } from './fixtures.js'

const GRACE_MS = 60 * SECOND_MS
const graceful = { ...POLICY, refundGraceMs: GRACE_MS }
/** Live, and its interval 1 has begun at 30 min. */
const inSecondInterval = (more: Partial<LiveRun> = {}) =>
  stillLive(transaction({ credits: 5, runs: [tirelessRun({ policy: graceful, ...more })], at: minutes(30) }))

const cases = [
  { when: 'at its beginning', afterMs: 0, by: 'seller', refunds: ['refund 1 = 5, run 1 #1 at 30 min'] },
  {
    when: 'just within the grace',
    afterMs: GRACE_MS - 30,
    by: 'seller',
    refunds: ['refund 1 = 5, run 1 #1 at 30.9995 min'],
  },
  { when: 'when the grace is over', afterMs: GRACE_MS, by: 'seller', refunds: [] },
  { when: 'within the grace by an operator', afterMs: 1, by: 'operator', refunds: [] },
] as const
for (const { when, afterMs, by, refunds } of cases) {
  test(`B10: an interval ended ${when} is ${refunds.length > 0 ? '' : 'not '}given back`, () => {
    const given = { credits: 4, runs: [inSecondInterval()], at: minutes(30) + afterMs }
    const outcome = transaction(given, (tally) => end(tally, 1, by))
    assert.equal(outcome.entries.map(entryLine), refunds)
    assert.is(outcome.runs[0]?.creditsConsumed, 2 - refunds.length)
  })
}

test('B10: interval 0 is never given back', () => {
  const given = { credits: 4, runs: [tirelessRun({ policy: graceful })], at: 1 }
  assert.equal(transaction(given, (tally) => end(tally, 1, 'seller')).entries, [])
})

test('B10: without a grace nothing is given back', () => {
  const given = { credits: 4, runs: [inSecondInterval({ policy: POLICY })], at: minutes(30) }
  assert.equal(transaction(given, (tally) => end(tally, 1, 'seller')).entries, [])
})

test('B10: an interval that begins and is ended in one transaction is deducted and given back', () => {
  const given = { credits: 4, runs: [tirelessRun({ policy: graceful })], at: minutes(30) }
  assert.equal(transaction(given, (tally) => end(tally, 1, 'seller')).entries.map(entryLine), [
    'deduction -1 = 3, run 1 #1 at 30 min',
    'refund 1 = 4, run 1 #1 at 30 min',
  ])
})

test('B10, B12: an interval that was waived is not given back, since nobody paid for it', () => {
  const outages = [{ beganAt: minutes(10), endedAt: minutes(30) }]
  const given = { credits: 4, runs: [tirelessRun({ policy: graceful })], outages, at: minutes(30) }
  assert.equal(transaction(given, (tally) => end(tally, 1, 'seller')).entries, [])
})

test('B10: an interval that an operator has given back is not given back again by the end', () => {
  const run = inSecondInterval()
  const interval = { livestreamId: run.livestreamId, runId: run.id, intervalIndex: 1 }
  const refunded = transaction({ credits: 4, runs: [run], at: minutes(30) + 1 }, (tally) =>
    refundDeduction(tally, interval, REQUEST),
  )
  const given = { credits: refunded.balance, runs: [stillLive(refunded)], at: minutes(30) + 2 }
  assert.equal(transaction(given, (tally) => end(tally, 1, 'seller')).entries, [])
})

test('B10, B7: a refund names its interval and lowers what the run consumed', () => {
  const run = inSecondInterval()
  const interval = { livestreamId: run.livestreamId, runId: run.id, intervalIndex: 0 }
  const outcome = transaction({ credits: 4, runs: [run], at: minutes(40) }, (tally) =>
    refundDeduction(tally, interval, REQUEST),
  )
  assert.equal(outcome.entries.map(entryLine), ['refund 1 = 5, run 1 #0 at 40 min'])
  assert.is(stillLive(outcome).creditsConsumed, 1)
})

test('B8: refunds that the program makes have keys of their own', () => {
  const given = { credits: 4, runs: [inSecondInterval()], at: minutes(30) }
  const [refund] = transaction(given, (tally) => end(tally, 1, 'seller')).entries
  assert.is(refund?.idempotencyKey, 'program:refund:1:1')
})

test.run()
