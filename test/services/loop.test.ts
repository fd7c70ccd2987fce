import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Loop, startLoop } from '../../server/services/loop.js'
import { SILENT_LOG } from '../support/fresh-database.js'
import { until } from '../support/sockets.js'

interface Watched {
  readonly loop: Loop
  /** When each pass began, in milliseconds since the loop was started. */
  readonly began: number[]
  mostAtOnce: number
  underWay: number
}

function watch(task: (pass: number) => Promise<number>, retryMs = 1_000): Watched {
  const since = performance.now()
  const watched = { began: [] as number[], mostAtOnce: 0, underWay: 0 }
  const pass = async (): Promise<number> => {
    watched.began.push(performance.now() - since)
    watched.underWay += 1
    watched.mostAtOnce = Math.max(watched.mostAtOnce, watched.underWay)
    try {
      return await task(watched.began.length)
    } finally {
      watched.underWay -= 1
    }
  }
  return Object.assign(watched, { loop: startLoop('test', pass, retryMs, SILENT_LOG) })
}

test('loop: passes never overlap, however often it is woken', async () => {
  const watched = watch(async () => {
    await sleep(5)
    return 60_000
  })
  for (let count = 0; count < 40; count += 1) {
    watched.loop.wake()
    await sleep(1)
  }
  await watched.loop.stop()
  assert.is(watched.mostAtOnce, 1)
  assert.ok(watched.began.length > 3)
})

test('loop: stopping waits for the pass under way, and no other follows', async () => {
  let finished = false
  const watched = watch(async () => {
    await sleep(80)
    finished = true
    return 0
  })
  await until(() => watched.underWay === 1, 'the first pass')
  watched.loop.wake()
  await watched.loop.stop()
  assert.ok(finished)
  watched.loop.wake()
  await sleep(30)
  assert.is(watched.began.length, 1)
  await watched.loop.stop()
})

test('loop: it can be stopped before its first pass', async () => {
  const watched = watch(async () => 0)
  await watched.loop.stop()
  await sleep(20)
  assert.is(watched.began.length, 0)
})

test('loop: what throws is tried again after the time for that', async () => {
  const watched = watch(async (pass) => {
    if (pass < 3) throw new Error('not yet')
    return 60_000
  }, 60)
  await until(() => watched.began.length === 3, 'three passes')
  await watched.loop.stop()
  const [first = 0, second = 0, third = 0] = watched.began
  assert.ok(second - first >= 55 && third - second >= 55, watched.began.join())
})

test('loop: a wake makes the next pass sooner, and never later', async () => {
  const watched = watch(async (pass) => (pass === 1 ? 60_000 : 50))
  await until(() => watched.began.length === 1, 'the first pass')
  watched.loop.wake(40)
  watched.loop.wake(50_000)
  await until(() => watched.began.length === 2, 'the second pass', 10_000)
  watched.loop.wake(50_000)
  await until(() => watched.began.length === 3, 'the third pass', 10_000)
  await watched.loop.stop()
})

test('loop: a wake during a pass counts for the time after it', async () => {
  const watched = watch(async () => {
    await sleep(30)
    return 60_000
  })
  await until(() => watched.underWay === 1, 'the first pass')
  watched.loop.wake(10)
  watched.loop.wake(30_000)
  await until(() => watched.began.length === 2, 'the second pass', 10_000)
  await watched.loop.stop()
})

test.run()
