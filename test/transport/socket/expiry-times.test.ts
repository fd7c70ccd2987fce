import { mock } from 'node:test'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS, SECOND_MS } from '../../../server/domain/instant.js'
import { Expiry } from '../../../server/transport/socket/expiry.js'
import { handClock } from '../../support/hand-clock.js'

const DAY_MS = 24 * 60 * MINUTE_MS

/** When a token that is good for so long is announced to end, and ends, in ms from its beginning; timers and the clock go together. */
function told(goodForMs: number, stepMs: number): { announcedAt: number | null; endedAt: number | null } {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const clock = handClock(0)
    const at: { announcedAt: number | null; endedAt: number | null } = { announcedAt: null, endedAt: null }
    new Expiry(clock, goodForMs, {
      expiring(expiresAt) {
        assert.is(expiresAt, goodForMs)
        at.announcedAt = clock.wallNow()
      },
      expired() {
        at.endedAt = clock.wallNow()
      },
    })
    while (at.endedAt === null && clock.wallNow() <= goodForMs + stepMs) {
      clock.advance(stepMs)
      mock.timers.tick(stepMs)
    }
    return at
  } finally {
    mock.timers.reset()
  }
}

test('P2: a token is announced to end, and ends, to the millisecond', () => {
  for (const goodForMs of [
    1, 2, 999, 9_999, 10_000, 10_001, 19_999, 20_000, 20_001, 61_234, 119_998, 120_000, 185_432,
  ]) {
    const announcedAt = goodForMs - Math.min(MINUTE_MS, goodForMs / 2)
    assert.equal(told(goodForMs, 1), { announcedAt: Math.ceil(announcedAt), endedAt: goodForMs }, `${goodForMs} ms`)
  }
})

test('P2: one that is good for longer than any timer, too', () => {
  const goodForMs = 60 * DAY_MS + 7 * SECOND_MS
  assert.equal(told(goodForMs, SECOND_MS), { announcedAt: goodForMs - MINUTE_MS, endedAt: goodForMs })
})

test.run()
