import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { end, start } from '../../server/domain/acts.js'
import { endMessage } from '../../server/domain/end-message.js'
import {
  endLines,
  entryLine,
  eventsOf,
  liveRun,
  minutes,
  POLICY,
  stillLive,
  tirelessRun,
  transaction,
} from './fixtures.js'

test('E2: after an end a start opens a new run, which pays for its own first interval', () => {
  const ended = transaction({ credits: 5, runs: [liveRun()], at: minutes(5) }, (tally) => end(tally, 1, 'seller'))
  const again = transaction({ credits: ended.balance, at: minutes(6) }, (tally) => start(tally, 2, 'show', POLICY))
  assert.equal(again.entries.map(entryLine), ['deduction -1 = 4, run 2 #0 at 6 min'])
  const { id, startedAt } = stillLive(again, 2)
  assert.equal([id, startedAt], [2, minutes(6)])
})

test('E2: two livestreams of one seller are live together and spend one account', () => {
  const runs = [tirelessRun({ id: 1, livestreamId: 'a' }), tirelessRun({ id: 2, livestreamId: 'b' })]
  const outcome = transaction({ credits: 5, runs, at: minutes(30) })
  assert.is(outcome.balance, 3)
  assert.equal(
    outcome.runs.map(({ state }) => state),
    ['live', 'live'],
  )
})

const ends = [
  { what: 'credits first', activeAt: 20, credits: 0, ended: 'run 1 credits_exhausted at 30 min' },
  { what: 'inactivity first', activeAt: 10, credits: 0, ended: 'run 1 inactivity at 25 min' },
  { what: 'both at one instant', activeAt: 15, credits: 0, ended: 'run 1 credits_exhausted at 30 min' },
  { what: 'both at one instant, with credits', activeAt: 15, credits: 1, ended: 'run 1 inactivity at 30 min' },
]
for (const { what, activeAt, credits, ended } of ends) {
  test(`E3: with ${what}, ${ended}`, () => {
    const outcome = transaction({ credits, runs: [liveRun({ activeAt: minutes(activeAt) })], at: minutes(300) })
    assert.equal(endLines(outcome), [ended])
  })
}

test('E4: nothing of a run is told or deducted after its end, however late the look', () => {
  const outcome = transaction({ credits: 9, runs: [liveRun()], at: minutes(1_000) })
  assert.equal([outcome.entries, outcome.balance], [[], 9])
  assert.equal(
    outcome.events.map(({ kind }) => kind),
    ['stream_ended'],
  )
})

test('E4: a run that is over cannot be ended again', () => {
  const found: unknown[] = []
  const outcome = transaction({ credits: 9, runs: [liveRun()], at: minutes(1) }, (tally) => {
    found.push(end(tally, 1, 'seller'), end(tally, 1, 'operator'))
  })
  assert.is(found[1], null)
  assert.equal(endLines(outcome), ['run 1 seller at 1 min'])
})

test('E3: the end tells why, how long, and what it cost', () => {
  const [event] = eventsOf(transaction({ credits: 1, runs: [tirelessRun()], at: minutes(61) }), 'stream_ended')
  assert.is(event?.payload.reason, 'credits_exhausted')
  assert.is(event?.payload.message, 'Livestream ended due to insufficient credits')
  assert.is(event?.payload.duration_minutes, 60)
  assert.is(event?.payload.credits_consumed, 2)
  assert.is(event?.payload.remaining_credits, 0)
})

test('E1: an operator’s note is part of the message', () => {
  assert.is(endMessage('operator', 'abuse'), 'Livestream ended by an operator: abuse')
  assert.is(endMessage('operator'), 'Livestream ended by an operator')
})

test.run()
