import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { toTimestamp } from '../../server/domain/instant.js'
import { deadlineOf, type Outage, silenceOf } from '../../server/domain/outage.js'
import { dueAt } from '../../server/domain/run.js'
import { endLines, entryLine, liveRun, minutes, stillLive, tirelessRun, transaction } from './fixtures.js'
import {
  batchedHeartbeat,
  commandAct,
  fitsBatch,
  liveRuns,
  monitorLook,
  newWorld,
  serverAct,
  serverLook,
  stamp,
  type World,
} from './world.js'

const outage = (beganAt: number, endedAt: number | null): Outage => ({
  beganAt: minutes(beganAt),
  endedAt: endedAt === null ? null : minutes(endedAt),
})

const PAID = ['deduction -1 = 8, run 1 #1 at 30 min']
const intervals = [
  { what: 'before the outage', outages: [outage(31, 60)], paid: PAID },
  { what: 'at the outage’s beginning', outages: [outage(30, 60)], paid: PAID },
  { what: 'as long after its beginning as a run may be silent', outages: [outage(15, 60)], paid: PAID },
  { what: 'later than that', outages: [outage(14.99, 60)], paid: [] },
  { what: 'exactly at the outage’s end', outages: [outage(2, 30)], paid: [] },
  { what: 'after its end', outages: [outage(2, 29.99)], paid: PAID },
  { what: 'in an outage that is still open', outages: [outage(2, null)], paid: [] },
  { what: 'in the second of two outages', outages: [outage(1, 2), outage(3, 35)], paid: [] },
  { what: 'late after the first, early in the second', outages: [outage(1, 25), outage(26, 60)], paid: PAID },
]
for (const { what, outages, paid } of intervals) {
  test(`B12: an interval that begins ${what} is ${paid.length > 0 ? 'paid' : 'waived'}`, () => {
    const outcome = transaction({ credits: 9, runs: [tirelessRun()], outages, at: minutes(59) })
    assert.equal(outcome.entries.map(entryLine), paid)
    assert.is(stillLive(outcome).billedIntervals, 2, 'it has begun, whether or not it was paid')
  })
}

test('B12: a waived interval ends nobody for want of credits', () => {
  const given = { credits: 0, runs: [tirelessRun()], outages: [outage(2, 65)], at: minutes(100) }
  assert.equal(endLines(transaction(given)), ['run 1 credits_exhausted at 90 min'])
})

test('B12, B3: an interval that an outage does not waive ends a run without credits, though no server is there', () => {
  const given = { credits: 0, runs: [tirelessRun()], outages: [outage(20, 65)], at: minutes(100) }
  assert.equal(endLines(transaction(given)), ['run 1 credits_exhausted at 30 min'])
})

interface SilenceCase {
  what: string
  outages: Outage[]
  silentSince: number
  deadline: number
  restartedAt: number | null
}
const silences: SilenceCase[] = [
  { what: 'no outage', outages: [], silentSince: 0, deadline: 15, restartedAt: null },
  { what: 'an outage before the activity', outages: [outage(-9, 0)], silentSince: 0, deadline: 15, restartedAt: null },
  { what: 'an outage around the activity', outages: [outage(-9, 1)], silentSince: 1, deadline: 16, restartedAt: 1 },
  { what: 'an outage before the deadline', outages: [outage(14, 40)], silentSince: 40, deadline: 55, restartedAt: 40 },
  { what: 'an outage at the deadline', outages: [outage(15, 40)], silentSince: 0, deadline: 15, restartedAt: null },
  {
    what: 'an outage that ends at the deadline',
    outages: [outage(5, 15)],
    silentSince: 15,
    deadline: 30,
    restartedAt: 15,
  },
  { what: 'two outages', outages: [outage(5, 6), outage(20, 30)], silentSince: 30, deadline: 45, restartedAt: 6 },
  {
    what: 'a second one too late',
    outages: [outage(5, 6), outage(21, 30)],
    silentSince: 6,
    deadline: 21,
    restartedAt: 6,
  },
]
for (const { what, outages, silentSince, deadline, restartedAt } of silences) {
  test(`A5: with ${what} the deadline is at ${deadline} min`, () => {
    const silence = silenceOf(liveRun(), outages)
    assert.equal(silence, {
      silentSince: minutes(silentSince),
      restartedAt: restartedAt === null ? null : minutes(restartedAt),
    })
    assert.is(deadlineOf({ ...liveRun(), silentSince: silence.silentSince }, outages), minutes(deadline))
  })
}

test('A5: while an outage is open that began before the deadline, nobody is warned or ended', () => {
  const outcome = transaction({ credits: 0, runs: [liveRun()], outages: [outage(9, null)], at: minutes(29) })
  assert.equal([outcome.events, endLines(outcome)], [[], []])
})

test('A5: an outage that began after the deadline holds up nothing', () => {
  const outcome = transaction({ credits: 9, runs: [liveRun()], outages: [outage(15, null)], at: minutes(29) })
  assert.equal(endLines(outcome), ['run 1 inactivity at 15 min'])
})

// The world of the services, in seconds: live from 0, warned after 5 s of silence, ended after 10 s, an interval of 60 s.
const policy = { intervalMs: 60_000, warningMs: 5_000, autoEndMs: 10_000, lowCreditThreshold: 0, refundGraceMs: 0 }

/** Live since 0, with servers that stamp every second up to and at `until`. */
function liveUntil(until: number, credits = 9): World {
  const world = newWorld()
  serverAct(world, 0, { kind: 'credits', amount: credits, by: 'server' })
  serverAct(world, 0, { kind: 'start', livestreamId: 'show', policy })
  for (let now = 0; now <= until; now += 1_000) stamp(world, now)
  return world
}

const lastEnd = ({ events }: World) => events.findLast(({ kind }) => kind === 'stream_ended')?.payload.occurred_at

test('A5: a look in a gap does not go past the last stamp, since the gap may become an outage', () => {
  const world = liveUntil(9_000)
  monitorLook(world, 11_000)
  assert.is(liveRuns(world).length, 1, 'the deadline of 10 s is past, and nobody may know that yet')
  stamp(world, 20_000)
  serverLook(world)
  assert.is(liveRuns(world)[0]?.silentSince, 20_000)
})

test('A5: a look in a gap that becomes none finds the deadline later, where it was', () => {
  const world = liveUntil(9_000)
  monitorLook(world, 11_000)
  stamp(world, 12_000)
  serverLook(world)
  assert.is(lastEnd(world), toTimestamp(10_000))
})

const granted = { kind: 'credits', amount: 1, by: 'command' } as const

test('A5: a command in a gap waits when something falls between the last stamp and now', () => {
  const world = liveUntil(9_000)
  assert.not(commandAct(world, 11_000, granted))
  assert.is(world.account.balance, 8)
  stamp(world, 11_500)
  assert.ok(commandAct(world, 11_500, granted))
  assert.is(world.account.balance, 9)
})

test('A5: a command in a gap acts at once when nothing falls between', () => {
  const world = liveUntil(7_000)
  assert.ok(commandAct(world, 9_000, granted))
})

test('A5: a command in an open outage settles up to now', () => {
  const world = liveUntil(9_000)
  assert.ok(commandAct(world, 65_000, granted))
  assert.is(world.account.balance, 9, 'the interval at 60 s is waived')
  assert.is(liveRuns(world)[0]?.billedIntervals, 2)
  stamp(world, 66_000)
  serverLook(world)
  assert.is(liveRuns(world)[0]?.silentSince, 66_000)
})

test('A5, B12: an interval exactly at the stamp that closes an outage is waived, whoever looks first', () => {
  for (const monitorFirst of [true, false]) {
    const world = liveUntil(9_000)
    if (monitorFirst) monitorLook(world, 60_000)
    stamp(world, 60_000)
    serverLook(world)
    assert.is(world.account.balance, 8)
    assert.is(liveRuns(world)[0]?.billedIntervals, 2)
  }
})

test('A5, A7: a heartbeat that comes before the first stamp after a restart is settled, and stamps first', () => {
  const world = liveUntil(4_000)
  assert.ok(fitsBatch(world, 4_500, 'show'))
  assert.not(fitsBatch(world, 30_000, 'show'))
  serverAct(world, 30_000, { kind: 'heartbeat', livestreamId: 'show' })
  assert.equal(world.outages, [{ beganAt: 4_000, endedAt: 30_000 }])
  assert.equal([liveRuns(world)[0]?.lastActivityAt, world.refusals], [30_000, []])
})

test('A5: a heartbeat in a gap that becomes an outage counts, and so does the outage’s end', () => {
  const world = liveUntil(4_000)
  batchedHeartbeat(world, 4_500, { kind: 'heartbeat', livestreamId: 'show' })
  stamp(world, 30_000)
  serverLook(world)
  const [run] = liveRuns(world)
  assert.equal([run?.lastActivityAt, run?.silentSince, run && dueAt(run)], [4_500, 30_000, 35_000])
})

test.run()
