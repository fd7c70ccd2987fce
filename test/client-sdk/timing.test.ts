import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createPings } from '../../client-sdk/src/pings.js'
import { backoffMs, nextPingMs, type PingFacts, pingIntervalMs } from '../../client-sdk/src/timing.js'

const MINUTE_MS = 60_000

for (const { attempt, longest } of [
  { attempt: 0, longest: 500 },
  { attempt: 1, longest: 1_000 },
  { attempt: 5, longest: 16_000 },
  { attempt: 6, longest: 20_000 },
  { attempt: 5_000, longest: 20_000 },
]) {
  test(`backoff: attempt ${attempt} waits up to ${longest} ms, and never less than 100`, () => {
    assert.is(backoffMs(attempt, 1), longest)
    assert.is(backoffMs(attempt, 0.5), longest / 2)
    assert.is(backoffMs(attempt, 0), 100)
  })
}

test('backoff: whatever chance says, a minute sees no tight loop and no long silence', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 600, maxLength: 600 }), (chances) => {
      const waits = chances.map((chance, attempt) => backoffMs(attempt, chance))
      return waits.every((ms) => ms >= 100 && ms <= 20_000)
    }),
  )
  // With even chances: 0.25 + 0.5 + 1 + 2 + 4 + 8 + 10 + 10 + 10 + 10 s.
  const even = Array.from({ length: 10 }, (_, attempt) => backoffMs(attempt, 0.5))
  assert.is(
    even.reduce((sum, ms) => sum + ms),
    55_750,
  )
})

const policy = {
  deduction_interval_ms: 30 * MINUTE_MS,
  inactivity_warning_ms: 10 * MINUTE_MS,
  inactivity_auto_end_ms: 15 * MINUTE_MS,
  low_credit_threshold: 2,
}

for (const { wished, minutes } of [
  { wished: undefined, minutes: 5 },
  { wished: 3, minutes: 3 },
  { wished: 1, minutes: 2 },
  { wished: 0, minutes: 2 },
  { wished: 2, minutes: 2 },
  { wished: 10, minutes: 10 },
  { wished: 11, minutes: 10 },
]) {
  test(`ping interval: ${wished ?? 'nothing'} wished for makes ${minutes} min at the default policy`, () => {
    const wishedMs = wished === undefined ? undefined : wished * MINUTE_MS
    assert.is(pingIntervalMs(wishedMs, policy), minutes * MINUTE_MS)
  })
}

const page: PingFacts = { live: true, activity: 'page', intervalMs: 9_000 }
const cases: {
  what: string
  facts?: Partial<PingFacts>
  sinceMs: number
  interacted?: boolean
  urgent?: boolean
  expected: number | null
}[] = [
  { what: 'waits for the rest of the interval', sinceMs: 4_000, expected: 5_000 },
  { what: 'does not wait once it is over', sinceMs: 12_000, expected: 0 },
  { what: 'does not wait where there was none yet', sinceMs: Number.POSITIVE_INFINITY, expected: 0 },
  { what: 'waits until something is live', facts: { live: false }, sinceMs: 12_000, expected: null },
  {
    what: 'does not come by itself where it is manual',
    facts: { activity: 'manual' },
    sinceMs: 12_000,
    expected: null,
  },
  { what: 'waits for interaction', facts: { activity: 'interaction' }, sinceMs: 12_000, expected: null },
  {
    what: 'follows late interaction at once',
    facts: { activity: 'interaction' },
    sinceMs: 12_000,
    interacted: true,
    expected: 0,
  },
  { what: 'does not wait after a reconnect', sinceMs: 4_000, urgent: true, expected: 0 },
  { what: 'does not come twice within a second', sinceMs: 900, urgent: true, expected: 100 },
  {
    what: 'waits for interaction after a reconnect too',
    facts: { activity: 'interaction' },
    sinceMs: 12_000,
    urgent: true,
    expected: null,
  },
  { what: 'waits no longer than a timer can', facts: { intervalMs: 2 ** 40 }, sinceMs: 0, expected: 2 ** 31 - 1 },
]
for (const { what, facts, sinceMs, interacted = false, urgent = false, expected } of cases) {
  test(`A1: a ping ${what}`, () => assert.is(nextPingMs({ ...page, ...facts }, sinceMs, interacted, urgent), expected))
}

function counted(facts: PingFacts) {
  const seen = { facts, sent: 0 }
  const pings = createPings(
    () => seen.facts,
    () => {
      seen.sent += 1
    },
  )
  /** Leaves no timer behind, which would keep the process. */
  const over = () => {
    seen.facts = { ...facts, live: false }
    pings.plan()
  }
  return { seen, pings, over }
}

test('A1: what changes before an urgent ping is sent does not put it off, and it is sent once', async () => {
  const { seen, pings, over } = counted(page)
  pings.plan(true)
  pings.plan()
  await sleep(50)
  assert.is(seen.sent, 1)
  pings.plan()
  await sleep(50)
  assert.is(seen.sent, 1)
  // One soon after another comes when a second is over.
  pings.plan(true)
  pings.plan()
  await sleep(1_000)
  assert.is(seen.sent, 2)
  over()
})

test('A1: a connection before a run is live is no news of it: its start was the activity', async () => {
  const { seen, pings, over } = counted({ ...page, live: false })
  pings.countAsPing()
  pings.plan(true)
  seen.facts = page
  pings.plan()
  await sleep(1_100)
  assert.is(seen.sent, 0)
  over()
})

test.run()
