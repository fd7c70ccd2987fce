import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { end, moveCredits, start } from '../../server/domain/acts.js'
import { Refusal } from '../../server/domain/errors.js'
import type { LiveRun } from '../../server/domain/run.js'
import { settle } from '../../server/domain/settle.js'
import {
  account,
  endLines,
  entryLine,
  liveRun,
  minutes,
  POLICY,
  REQUEST,
  stillLive,
  tirelessRun,
  transaction,
} from './fixtures.js'

test('B1: each interval costs one whole credit, however many are late', () => {
  const { entries } = transaction({ credits: 10, runs: [tirelessRun()], at: minutes(150) })
  assert.equal(entries.map(entryLine), [
    'deduction -1 = 9, run 1 #1 at 30 min',
    'deduction -1 = 8, run 1 #2 at 60 min',
    'deduction -1 = 7, run 1 #3 at 90 min',
    'deduction -1 = 6, run 1 #4 at 120 min',
    'deduction -1 = 5, run 1 #5 at 150 min',
  ])
})

test('B1: creditsConsumed counts what the run paid', () => {
  assert.is(stillLive(transaction({ credits: 10, runs: [tirelessRun()], at: minutes(100) })).creditsConsumed, 4)
})

test('B2: the start deducts interval 0', () => {
  const started = transaction({ credits: 3, at: minutes(7) }, (tally) => start(tally, 1, 'show', POLICY))
  assert.equal(started.entries.map(entryLine), ['deduction -1 = 2, run 1 #0 at 7 min'])
  assert.is(stillLive(started).billedIntervals, 1)
})

test('B2: nobody starts without a credit, and nothing happens', () => {
  const tally = settle(account(0), [], [], 0)
  assert.throws(
    () => start(tally, 1, 'show', POLICY),
    (error: unknown) => error instanceof Refusal && error.code === 'insufficient_credits',
  )
  assert.equal([tally.live, tally.entries, tally.events], [[], [], []])
})

const lookTimes = {
  'at the last moment': [],
  'a minute before the interval': [29],
  'at the interval': [30],
  'every ten minutes': Array.from({ length: 30 }, (_, index) => index * 10),
}

for (const credits of [1, 2, 7]) {
  for (const [when, looks] of Object.entries(lookTimes)) {
    test(`B2: ${credits} credits are exactly ${credits} intervals, looked at ${when}`, () => {
      let outcome = transaction({ credits, at: 0 }, (tally) => start(tally, 1, 'show', POLICY))
      for (const look of [...looks, 300]) {
        const runs = outcome.runs.flatMap((run) =>
          run.state === 'live' ? [{ ...run, silentSince: minutes(300) }] : [],
        )
        if (runs.length > 0) outcome = transaction({ credits: outcome.balance, runs, at: minutes(look) })
      }
      assert.is(outcome.balance, 0)
      assert.equal(endLines(outcome), [`run 1 credits_exhausted at ${credits * 30} min`])
    })
  }
}

const contests = [
  { credits: 0, ends: ['run 1 credits_exhausted at 30 min', 'run 2 credits_exhausted at 30 min'] },
  { credits: 1, ends: ['run 1 credits_exhausted at 60 min', 'run 2 credits_exhausted at 30 min'] },
  { credits: 2, ends: ['run 1 credits_exhausted at 60 min', 'run 2 credits_exhausted at 60 min'] },
  { credits: 3, ends: ['run 1 credits_exhausted at 90 min', 'run 2 credits_exhausted at 60 min'] },
]
for (const { credits, ends } of contests) {
  test(`B3, B4: ${credits} credits for two runs in step: the older run has the last one`, () => {
    // Given in the wrong order, which must not matter.
    const outcome = transaction({ credits, runs: [tirelessRun({ id: 2 }), tirelessRun({ id: 1 })], at: minutes(600) })
    assert.equal(endLines(outcome).sort(), ends)
    assert.is(outcome.balance, 0)
  })
}

test('B4: two runs are walked together, not one after the other', () => {
  const runs = [tirelessRun({ id: 1 }), tirelessRun({ id: 2, startedAt: minutes(10) })]
  const outcome = transaction({ credits: 3, runs, at: minutes(600) })
  assert.equal(outcome.entries.map(entryLine), [
    'deduction -1 = 2, run 1 #1 at 30 min',
    'deduction -1 = 1, run 2 #1 at 40 min',
    'deduction -1 = 0, run 1 #2 at 60 min',
  ])
  assert.equal(endLines(outcome), ['run 2 credits_exhausted at 70 min', 'run 1 credits_exhausted at 90 min'])
})

test('B4: a grant at the very instant at which a run ends comes too late', () => {
  const outcome = transaction({ credits: 0, runs: [tirelessRun()], at: minutes(30) }, (tally) =>
    moveCredits(tally, 5, REQUEST, 2),
  )
  assert.equal(endLines(outcome), ['run 1 credits_exhausted at 30 min'])
  assert.is(outcome.balance, 5)
})

test('B4: a grant a millisecond earlier is in time', () => {
  const granted = transaction({ credits: 0, runs: [tirelessRun()], at: minutes(30) - 1 }, (tally) =>
    moveCredits(tally, 5, REQUEST, 2),
  )
  const outcome = transaction({ credits: granted.balance, runs: [stillLive(granted)], at: minutes(30) })
  assert.equal(outcome.entries.map(entryLine), ['deduction -1 = 4, run 1 #1 at 30 min'])
})

test('B5: a second look at the same instant deducts nothing more', () => {
  const first = transaction({ credits: 5, runs: [tirelessRun()], at: minutes(60) })
  const second = transaction({ credits: first.balance, runs: [stillLive(first)], at: minutes(60) })
  assert.equal([first.entries.length, second.entries.length], [2, 0])
})

interface InactiveCase {
  what: string
  activeAt: number
  credits: number
  entries: string[]
  ended: string
}
const inactive: InactiveCase[] = [
  { what: 'no activity at all', activeAt: 0, credits: 9, entries: [], ended: 'inactivity at 15 min' },
  { what: 'a deadline before the interval', activeAt: 14, credits: 9, entries: [], ended: 'inactivity at 29 min' },
  { what: 'a deadline at the interval', activeAt: 15, credits: 9, entries: [], ended: 'inactivity at 30 min' },
  {
    what: 'a deadline after the interval',
    activeAt: 16,
    credits: 9,
    entries: ['deduction -1 = 8, run 1 #1 at 30 min'],
    ended: 'inactivity at 31 min',
  },
  {
    what: 'no credits before the deadline',
    activeAt: 16,
    credits: 0,
    entries: [],
    ended: 'credits_exhausted at 30 min',
  },
]
for (const { what, activeAt, credits, entries, ended } of inactive) {
  test(`B6: noticed after days, with ${what}: ends at its deadline and pays for nothing from there on`, () => {
    const outcome = transaction({ credits, runs: [liveRun({ activeAt: minutes(activeAt) })], at: minutes(5_000) })
    assert.equal(outcome.entries.map(entryLine), entries)
    assert.equal(endLines(outcome), [`run 1 ${ended}`])
  })
}

for (const reason of ['seller', 'operator'] as const) {
  test(`B6: an end by the ${reason} comes after the interval that begins at that instant`, () => {
    const outcome = transaction({ credits: 5, runs: [tirelessRun()], at: minutes(30) }, (tally) =>
      end(tally, 1, reason),
    )
    assert.equal(outcome.entries.map(entryLine), ['deduction -1 = 4, run 1 #1 at 30 min'])
    assert.equal(endLines(outcome), [`run 1 ${reason} at 30 min`])
  })
}

test('B6: an end by the seller at the deadline finds the run ended', () => {
  let found: unknown
  const outcome = transaction({ credits: 5, runs: [liveRun()], at: minutes(15) }, (tally) => {
    found = end(tally, 1, 'seller')
  })
  assert.is(found, null)
  assert.equal(endLines(outcome), ['run 1 inactivity at 15 min'])
})

test('B3: an adjustment that the balance does not allow is refused, and nothing happens', () => {
  const tally = settle(account(2), [], [], 0)
  assert.throws(
    () => moveCredits(tally, -3, REQUEST, 2),
    (error: unknown) => error instanceof Refusal && error.code === 'balance_would_be_negative',
  )
  assert.equal([tally.balance, tally.entries, tally.events], [2, [], []])
})

test('B7: each entry continues from the balance of the one before it', () => {
  const { balance, entries } = transaction({ credits: 4, runs: [tirelessRun()], at: minutes(70) }, (tally) => {
    moveCredits(tally, 6, REQUEST, 2)
    moveCredits(tally, -3, REQUEST, 2)
  })
  assert.equal(
    entries.map(({ balanceAfter }) => balanceAfter),
    [3, 2, 8, 5],
  )
  assert.is(balance, 5)
})

test('B4: what settle is given stays as it was', () => {
  const runs: readonly LiveRun[] = Object.freeze([Object.freeze(liveRun({ id: 2 })), Object.freeze(liveRun({ id: 1 }))])
  const given = Object.freeze(account(5))
  const before = structuredClone({ given, runs })
  settle(given, runs, Object.freeze([]), minutes(500))
  assert.equal({ given, runs }, before)
})

test.run()
