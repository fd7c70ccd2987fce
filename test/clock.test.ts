import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Clock, systemClock } from '../server/clock.js'
import { handClock } from './support/hand-clock.js'

const dateNow = Date.now
test.after.each(() => {
  Date.now = dateNow
})

/** Runs the system's clock over wall times, and gives what it says at each of them. */
function over(walls: readonly number[], onHold?: (behindMs: number) => void): [number, number][] {
  const clock = systemClock(onHold)
  return walls.map((wall) => {
    Date.now = () => wall
    return [clock.now(), clock.wallNow()]
  })
}

test('Words: the clock goes with the wall clock', () => {
  assert.equal(
    over([100, 100, 101, 500]).map(([now]) => now),
    [100, 100, 101, 500],
  )
})

test('Words: it stands still while the wall clock is behind, and the wall clock shows through', () => {
  assert.equal(over([100, 40, 99, 100, 101]), [
    [100, 100],
    [100, 40],
    [100, 99],
    [100, 100],
    [101, 101],
  ])
})

test('Words: each standstill is told once, with how far behind the wall clock is', () => {
  const told: number[] = []
  over([100, 40, 30, 100, 99, 98, 200], (behindMs) => told.push(behindMs))
  assert.equal(told, [60, 1])
})

test('Words: whoever is told may ask for the time', () => {
  const asked: number[] = []
  const clock: Clock = systemClock(() => asked.push(clock.now()))
  Date.now = () => 100
  clock.now()
  Date.now = () => 10
  assert.is(clock.now(), 100)
  assert.equal(asked, [100])
})

test('the system clock is the time of day', () => {
  const before = dateNow()
  const now = systemClock().now()
  assert.ok(before <= now && now <= dateNow())
})

test('a hand clock stands still until it is moved, and never runs backwards either', () => {
  const clock = handClock(1_000)
  assert.equal([clock.now(), clock.wallNow()], [1_000, 1_000])
  clock.advance(500)
  assert.equal([clock.now(), clock.wallNow()], [1_500, 1_500])
  clock.set(200)
  assert.equal([clock.now(), clock.wallNow()], [1_500, 200])
  clock.advance(1_400)
  assert.equal([clock.now(), clock.wallNow()], [1_600, 1_600])
})

test.run()
