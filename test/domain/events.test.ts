import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { EVENT_KINDS } from '../../client-sdk/protocol/index.js'
import { moveCredits, recordActivity, start } from '../../server/domain/acts.js'
import { toTimestamp } from '../../server/domain/instant.js'
import { conclude } from '../../server/domain/outcome.js'
import { settle } from '../../server/domain/settle.js'
import { account, eventsOf, liveRun, minutes, POLICY, REQUEST, tirelessRun, transaction } from './fixtures.js'

test('V2: events go on from the account’s last sequence, over all livestreams, without gaps', () => {
  const runs = [tirelessRun({ id: 1, livestreamId: 'a' }), tirelessRun({ id: 2, livestreamId: 'b' })]
  const outcome = conclude(settle({ ...account(9), lastSeq: 41 }, runs, [], minutes(60)))
  assert.equal(
    outcome.events.map(({ payload }) => payload.seq),
    [42, 43, 44, 45],
  )
  assert.is(outcome.lastSeq, 45)
})

test('V2: where nothing happens the sequence stays', () => {
  const outcome = conclude(settle({ ...account(9), lastSeq: 41 }, [tirelessRun()], [], minutes(1)))
  assert.equal([outcome.events, outcome.lastSeq], [[], 41])
})

test('V1: each entry has its credit_update, with the balance after it', () => {
  const outcome = transaction({ credits: 9, runs: [tirelessRun()], at: minutes(60) }, (tally) =>
    moveCredits(tally, 5, REQUEST, 2),
  )
  assert.equal(
    eventsOf(outcome, 'credit_update').map(({ payload }) => [payload.kind, payload.change, payload.remaining_credits]),
    [
      ['deduction', -1, 8],
      ['deduction', -1, 7],
      ['grant', 5, 12],
    ],
  )
})

test('V4: one transaction writes its events in the order of their kinds', () => {
  const runs = [
    // Ends by inactivity, after an interval.
    liveRun({ id: 1, livestreamId: 'a', activeAt: minutes(20) }),
    // Is silent since 24 min and will be warned.
    liveRun({ id: 2, livestreamId: 'b', activeAt: minutes(24), startedAt: minutes(20) }),
    // Was warned, and is active again.
    liveRun({ id: 3, livestreamId: 'c', activeAt: minutes(25), startedAt: minutes(22), warnedAt: minutes(35) }),
  ]
  const outcome = transaction({ credits: 3, runs, at: minutes(36) }, (tally) => {
    recordActivity(tally, 3)
    start(tally, 4, 'd', POLICY)
  })
  const kinds = outcome.events.map(({ kind }) => kind)
  assert.equal([...new Set(kinds)], [...EVENT_KINDS], 'all kinds, each in its place')
  assert.equal(
    kinds.toSorted((a, b) => EVENT_KINDS.indexOf(a) - EVENT_KINDS.indexOf(b)),
    kinds,
  )
})

test('V4: events of one kind are in the order of their instants', () => {
  const runs = [liveRun({ id: 1, activeAt: minutes(2) }), liveRun({ id: 2, activeAt: minutes(1) })]
  const outcome = transaction({ credits: 9, runs, at: minutes(14) })
  assert.equal(
    outcome.events.map(({ payload }) => payload.run_id),
    [2, 1],
  )
})

test('V4: a late look writes every credit_update, and no warning that is over', () => {
  const run = liveRun({ activeAt: minutes(50) })
  const outcome = transaction({ credits: 9, runs: [run], at: minutes(500) })
  assert.equal(
    outcome.events.map(({ kind, at }) => `${kind} at ${at / minutes(1)}`),
    ['credit_update at 30', 'credit_update at 60', 'stream_ended at 65'],
  )
})

test('V4: a credit_update tells of every live run', () => {
  const runs = [
    tirelessRun({ id: 1, livestreamId: 'a' }),
    tirelessRun({ id: 2, livestreamId: 'b', startedAt: minutes(10) }),
  ]
  const [update] = eventsOf(transaction({ credits: 3, runs, at: minutes(30) }), 'credit_update')
  assert.equal(update?.payload.runs, [
    {
      livestream_id: 'a',
      run_id: 1,
      credits_consumed: 2,
      next_deduction_at: toTimestamp(minutes(60)),
      credits_run_out_at: toTimestamp(minutes(90)),
    },
    {
      livestream_id: 'b',
      run_id: 2,
      credits_consumed: 1,
      next_deduction_at: toTimestamp(minutes(40)),
      credits_run_out_at: toTimestamp(minutes(70)),
    },
  ])
})

test('V4: stream_started tells the balance after its own deduction', () => {
  const outcome = transaction({ credits: 5, at: 0 }, (tally) => start(tally, 1, 'show', POLICY))
  assert.equal(eventsOf(outcome, 'stream_started')[0]?.payload, {
    seq: 1,
    occurred_at: toTimestamp(0),
    livestream_id: 'show',
    run_id: 1,
    remaining_credits: 4,
    credits_consumed: 1,
    next_deduction_at: toTimestamp(minutes(30)),
    credits_run_out_at: toTimestamp(minutes(150)),
  })
})

test('V4: what concerns only the account names no livestream', () => {
  const [event] = transaction({ credits: 0, runs: [tirelessRun()], at: 0 }, (tally) =>
    moveCredits(tally, 5, REQUEST, 2),
  ).events
  assert.equal([event?.payload.livestream_id, event?.payload.run_id], [null, null])
})

test.run()
