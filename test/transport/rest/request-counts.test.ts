import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RequestCounts } from '../../../server/transport/rest/request-counts.js'

const WINDOW_MS = 1_000

test('each is counted alone, in windows that begin with the first request', () => {
  const counts = new RequestCounts(WINDOW_MS)
  const add = (who: string, now: number) => {
    const { asked, until } = counts.add(who, now)
    return [asked, until]
  }
  assert.equal(add('anna', 100), [1, 1_100])
  assert.equal(add('anna', 700), [2, 1_100])
  assert.equal(add('bela', 700), [1, 1_700])
  assert.equal(add('anna', 1_099), [3, 1_100])
  // Anna's window is over, Bela's goes on, though those who asked before are kept apart from here.
  assert.equal(add('anna', 1_100), [1, 2_100])
  assert.equal(add('bela', 1_699), [2, 1_700])
  assert.equal(add('bela', 1_700), [1, 2_700])
  assert.equal(add('anna', 2_099), [2, 2_100])
  // Across two turns of what is kept.
  assert.equal(add('bela', 2_699), [2, 2_700])
  assert.equal(add('anna', 2_699), [1, 3_699])
  assert.equal(add('anna', 9_000), [1, 10_000])
})

test('a request is counted as one by one would count it, whenever it comes', () => {
  const counts = new RequestCounts(WINDOW_MS)
  const simple = new Map<string, { asked: number; until: number }>()
  let now = 0
  for (let i = 0; i < 20_000; i += 1) {
    // Steps of all sizes up to a window and a half, mostly small ones.
    now += i % 97 === 0 ? (i * 31) % 1_500 : (i * 7) % 12
    const who = `seller-${(i * i) % 13}`
    const before = simple.get(who)
    const count = before && before.until > now ? before : { asked: 0, until: now + WINDOW_MS }
    count.asked += 1
    simple.set(who, count)
    const { asked, until } = counts.add(who, now)
    assert.equal({ asked, until }, count, `request ${i} at ${now}`)
  }
})

test.run()
