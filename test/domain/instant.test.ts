import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LAST_INSTANT, MINUTE_MS, toTimestamp, wholeMinutes } from '../../server/domain/instant.js'

const durations = [
  { ms: 0, whole: 0 },
  { ms: MINUTE_MS - 1, whole: 0 },
  { ms: MINUTE_MS, whole: 1 },
  { ms: 30 * MINUTE_MS - 1, whole: 29 },
  { ms: 30 * MINUTE_MS, whole: 30 },
]
for (const { ms, whole } of durations) {
  test(`H2: ${ms} ms are ${whole} whole minutes`, () => assert.is(wholeMinutes(ms), whole))
}

test('H2: instants are told in UTC, with milliseconds and Z', () => {
  assert.is(toTimestamp(Date.UTC(2026, 1, 3, 4, 5, 6, 7)), '2026-02-03T04:05:06.007Z')
})

test('H2: every instant is told as its date tells it', () => {
  const instants = [
    0,
    1,
    -1,
    -MINUTE_MS,
    1.5,
    Date.UTC(9999, 11, 31, 23, 59, 59, 999),
    Date.UTC(10000, 0, 1),
    LAST_INSTANT,
  ]
  // Of one slot each, and of neighbours.
  for (let i = 0; i < 5_000; i += 1) instants.push(Math.floor(Math.random() * 4e12), 64 * i * MINUTE_MS + i, 999 * i)
  for (const at of [...instants, ...instants]) assert.is(toTimestamp(at), new Date(at).toISOString(), String(at))
})

test('H2: what is past the last date is told as the last date', () => {
  assert.is(toTimestamp(LAST_INSTANT + 1), toTimestamp(LAST_INSTANT))
  assert.is(toTimestamp(Number.POSITIVE_INFINITY), '+275760-09-13T00:00:00.000Z')
})

test.run()
