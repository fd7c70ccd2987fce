import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { recordActivity, start } from '../../server/domain/acts.js'
import { toTimestamp } from '../../server/domain/instant.js'
import type { Outcome } from '../../server/domain/outcome.js'
import { dueAt } from '../../server/domain/run.js'
import { endLines, eventsOf, liveRun, minutes, POLICY, stillLive, transaction } from './fixtures.js'

const kinds = ({ events }: Outcome) => events.map(({ kind }) => kind)
const ping = (tally: Parameters<typeof recordActivity>[0]) => recordActivity(tally, 1)

const silences = [
  { rule: 'A3', what: 'a millisecond before the warning', at: minutes(10) - 1, told: [], ended: [] },
  { rule: 'A3', what: 'at the warning', at: minutes(10), told: ['inactivity_warning'], ended: [] },
  {
    rule: 'A4',
    what: 'a millisecond before the deadline',
    at: minutes(15) - 1,
    told: ['inactivity_warning'],
    ended: [],
  },
  {
    rule: 'A4',
    what: 'at the deadline',
    at: minutes(15),
    told: ['stream_ended'],
    ended: ['run 1 inactivity at 15 min'],
  },
  { rule: 'A4', what: 'days later', at: minutes(9_000), told: ['stream_ended'], ended: ['run 1 inactivity at 15 min'] },
]
for (const { rule, what, at, told, ended } of silences) {
  test(`${rule}: looked at ${what}: ${told[0] ?? 'nothing'}`, () => {
    const outcome = transaction({ credits: 9, runs: [liveRun()], at })
    assert.equal(kinds(outcome), told)
    assert.equal(endLines(outcome), ended)
  })
}

test('A1: the start is activity', () => {
  const outcome = transaction({ credits: 1, at: minutes(3) }, (tally) => start(tally, 1, 'show', POLICY))
  const { lastActivityAt, silentSince } = stillLive(outcome)
  assert.equal([lastActivityAt, silentSince], [minutes(3), minutes(3)])
})

test('A2: activity never goes backwards, also where an older instant comes later', () => {
  const run = liveRun({ activeAt: minutes(8) })
  const { lastActivityAt, silentSince } = stillLive(transaction({ credits: 9, runs: [run], at: minutes(7) }, ping))
  assert.equal([lastActivityAt, silentSince], [minutes(8), minutes(8)])
})

test('A2: the silence counts from the end of a later outage, and the last activity stays', () => {
  const outages = [{ beganAt: minutes(1), endedAt: minutes(6) }]
  const run = stillLive(transaction({ credits: 9, runs: [liveRun()], outages, at: minutes(6) }))
  assert.equal([run.lastActivityAt, run.silentSince], [0, minutes(6)])
})

test('A3: the warning tells when, how long, and until when', () => {
  const outcome = transaction({ credits: 9, runs: [liveRun()], at: minutes(12) })
  const [warning] = eventsOf(outcome, 'inactivity_warning')
  assert.is(warning?.at, minutes(10), 'dated when it fell due')
  assert.is(warning?.payload.last_activity, toTimestamp(0))
  assert.is(warning?.payload.inactive_minutes, 12)
  assert.is(warning?.payload.ends_at, toTimestamp(minutes(15)))
})

test('A3: the minutes of inactivity are those of the silence, which an outage restarted', () => {
  const outages = [{ beganAt: minutes(1), endedAt: minutes(6) }]
  const [warning] = eventsOf(
    transaction({ credits: 9, runs: [liveRun()], outages, at: minutes(17) }),
    'inactivity_warning',
  )
  assert.is(warning?.payload.last_activity, toTimestamp(0))
  assert.is(warning?.payload.inactive_minutes, 11)
})

test('A3: once for each silence', () => {
  const warned = transaction({ credits: 9, runs: [liveRun()], at: minutes(10) })
  const again = transaction({ credits: 9, runs: [stillLive(warned)], at: minutes(11) })
  const active = transaction({ credits: 9, runs: [stillLive(again)], at: minutes(12) }, ping)
  const silent = transaction({ credits: 9, runs: [stillLive(active)], at: minutes(22) })
  assert.equal([warned, again, active, silent].map(kinds), [
    ['inactivity_warning'],
    [],
    ['inactivity_cleared'],
    ['inactivity_warning'],
  ])
})

test('A3: activity before anybody told the warning clears nothing', () => {
  assert.equal(kinds(transaction({ credits: 9, runs: [liveRun()], at: minutes(11) }, ping)), [])
})

test('A3, A5: the end of an outage clears a warning', () => {
  const warned = stillLive(transaction({ credits: 9, runs: [liveRun()], at: minutes(10) }))
  const outages = [{ beganAt: minutes(11), endedAt: minutes(20) }]
  const [cleared, ...others] = transaction({ credits: 9, runs: [warned], outages, at: minutes(21) }).events
  assert.equal([cleared?.kind, cleared?.at, others], ['inactivity_cleared', minutes(20), []])
})

test('A3, A5: an outage between two warnings leaves only the one that is true', () => {
  const warned = stillLive(transaction({ credits: 9, runs: [liveRun()], at: minutes(10) }))
  const outages = [{ beganAt: minutes(11), endedAt: minutes(15) }]
  const [warning, ...others] = transaction({ credits: 9, runs: [warned], outages, at: minutes(26) }).events
  assert.equal([warning?.kind, warning?.at, others], ['inactivity_warning', minutes(25), []])
})

test('A3: after a cleared warning the next due instant is the next warning, not the old deadline', () => {
  const warned = stillLive(transaction({ credits: 9, runs: [liveRun()], at: minutes(10) }))
  assert.is(dueAt(warned), minutes(15))
  const active = stillLive(transaction({ credits: 9, runs: [warned], at: minutes(12) }, ping))
  assert.is(dueAt(active), minutes(22))
})

const due = [
  { what: 'the warning', run: liveRun(), at: 10 },
  { what: 'the deadline, once it is warned', run: liveRun({ warnedAt: minutes(10) }), at: 15 },
  { what: 'the interval', run: liveRun({ activeAt: minutes(25) }), at: 30 },
  {
    what: 'the later warning, though the interval before it is paid',
    run: liveRun({ activeAt: minutes(25), billedIntervals: 2 }),
    at: 35,
  },
]
for (const { what, run, at } of due) {
  test(`A3, A4, B2: what is due first is ${what}`, () => assert.is(dueAt(run), minutes(at)))
}

test('A1, E4: activity at the deadline finds the run ended', () => {
  let found: unknown
  transaction({ credits: 9, runs: [liveRun()], at: minutes(15) }, (tally) => {
    found = ping(tally)
  })
  assert.is(found, null)
})

test.run()
