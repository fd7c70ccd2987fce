import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { creditsRunOutAt } from '../../server/domain/forecast.js'
import { LAST_INSTANT } from '../../server/domain/instant.js'
import { type LiveRun, nextIntervalAt } from '../../server/domain/run.js'
import { liveRun, minutes, POLICY } from './fixtures.js'
import { holds } from './property.js'

/** SPEC.md, S, a step at a time: who begins an interval next takes a credit, or ends. */
function playOut(balance: number, runs: readonly LiveRun[]): number[] {
  let credits = balance
  const players = runs.map((run) => ({ next: nextIntervalAt(run), intervalMs: run.policy.intervalMs, over: false }))
  for (;;) {
    const going = players.filter(({ over }) => !over)
    // The first of the earliest, so ties go to the older run (B4).
    const [first, ...others] = going
    if (!first) return players.map(({ next }) => next)
    const player = others.reduce((earliest, other) => (other.next < earliest.next ? other : earliest), first)
    if (credits === 0) {
      player.over = true
    } else {
      credits -= 1
      player.next += player.intervalMs
    }
  }
}

// A few small numbers, so that runs tie again and again.
const runs = fc
  .array(
    fc.record({
      startedAt: fc.integer({ min: 0, max: 8 }),
      billedIntervals: fc.integer({ min: 1, max: 4 }),
      intervalMs: fc.constantFrom(1, 2, 3, 4, 6),
    }),
    { maxLength: 5 },
  )
  .map((list) =>
    list.map(({ intervalMs, ...run }, index) => liveRun({ ...run, id: index + 1, policy: { ...POLICY, intervalMs } })),
  )

test('B4, B9: forecasts are what happens when it is played out', () => {
  holds(
    fc.property(fc.integer({ min: 0, max: 40 }), runs, (balance, live) => {
      assert.equal(creditsRunOutAt(balance, live), playOut(balance, live))
    }),
    5_000,
  )
})

const cases = [
  { what: 'no credit left', balance: 0, starts: [0], out: [30] },
  { what: 'one run', balance: 3, starts: [0], out: [120] },
  { what: 'two runs, the older has the odd credit', balance: 3, starts: [0, 0], out: [90, 60] },
  { what: 'two runs, the younger comes first', balance: 1, starts: [10, 0], out: [40, 60] },
  { what: 'three runs at one instant and two credits', balance: 2, starts: [0, 0, 0], out: [60, 60, 30] },
]
for (const { what, balance, starts, out } of cases) {
  test(`B9: ${what}: out at ${out} min`, () => {
    const live = starts.map((startedAt, index) => liveRun({ id: index + 1, startedAt: minutes(startedAt) }))
    assert.equal(creditsRunOutAt(balance, live), out.map(minutes))
  })
}

test('B9: credits for longer than dates can tell run out at the last date', () => {
  const two = [liveRun({ id: 1 }), liveRun({ id: 2 })]
  assert.equal(creditsRunOutAt(Number.MAX_SAFE_INTEGER, two), [LAST_INSTANT, LAST_INSTANT])
  assert.equal(creditsRunOutAt(Number.MAX_SAFE_INTEGER, two.slice(0, 1)), [LAST_INSTANT])
})

test('B9: where nothing is live nothing runs out', () => assert.equal(creditsRunOutAt(5, []), []))

test.run()
