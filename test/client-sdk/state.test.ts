import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { CreditUpdate, RunView, Snapshot, StreamEnded, StreamStarted } from '../../client-sdk/protocol/index.js'
import { nextSnapshot, stateOf } from '../../client-sdk/src/snapshot.js'
import {
  activeAt,
  changeBy,
  changeTo,
  concerns,
  faultOf,
  INITIAL_STATE,
  type Incoming,
  type State,
} from '../../client-sdk/src/state.js'

const at = (minutes: number): string => new Date(Date.UTC(2026, 0, 1, 0, minutes)).toISOString()

const liveRun: RunView = {
  run_id: 7,
  status: 'live',
  started_at: at(0),
  ended_at: null,
  end_reason: null,
  credits_consumed: 1,
  last_activity: at(0),
  next_deduction_at: at(30),
  credits_run_out_at: at(90),
}
const endedRun: RunView = {
  ...liveRun,
  status: 'ended',
  ended_at: at(17),
  end_reason: 'inactivity',
  next_deduction_at: null,
  credits_run_out_at: null,
}

for (const { phase, run, expected } of [
  { phase: 'idle', run: null, expected: 'idle' },
  { phase: 'connecting', run: null, expected: 'connecting' },
  { phase: 'up', run: null, expected: 'idle' },
  { phase: 'up', run: liveRun, expected: 'live' },
  { phase: 'up', run: endedRun, expected: 'ended' },
  { phase: 'down', run: liveRun, expected: 'reconnecting' },
  { phase: 'down', run: null, expected: 'reconnecting' },
  { phase: 'down', run: endedRun, expected: 'ended' },
  { phase: 'refused', run: null, expected: 'unauthorized' },
  { phase: 'refused', run: endedRun, expected: 'unauthorized' },
] as const) {
  test(`state: ${phase} with ${run?.status ?? 'no'} run is ${expected}`, () => {
    assert.is(stateOf(phase, run), expected)
  })
}

const snapshot: Snapshot = {
  seq: 12,
  reset: false,
  server_time: at(3),
  protocol_version: 1,
  livestream: { id: 'mine', seller_id: 'ann', title: 'T', created_at: at(0), run: liveRun, connected: true },
  remaining_credits: 2,
  policy: {
    deduction_interval_ms: 1_800_000,
    inactivity_warning_ms: 600_000,
    inactivity_auto_end_ms: 900_000,
    low_credit_threshold: 2,
  },
}
const known: State = { ...INITIAL_STATE, phase: 'up', ...changeTo(snapshot, INITIAL_STATE) }

test('snapshot: tells what a page shows, with no number of its own', () => {
  const shown = nextSnapshot(null, known)
  assert.is(shown.state, 'live')
  assert.is(shown.low_credits, true)
  assert.is(shown.final_interval, false)
  assert.is(shown.inactivity_ends_at, at(15))
  assert.is(shown.inactivity_warned, false)
  assert.is(shown.next_deduction_at, at(30))
  assert.is(shown.end, null)
  assert.not('run' in (shown.livestream ?? {}))
})

test('snapshot: is frozen, and the same object as long as nothing changes', () => {
  const first = nextSnapshot(null, known)
  assert.ok(Object.isFrozen(first))
  assert.ok(Object.isFrozen(first.run))
  assert.is(nextSnapshot(first, { ...known, ...changeTo(structuredClone(snapshot), known) }), first)
  const later = nextSnapshot(first, { ...known, remaining_credits: 9 })
  assert.is.not(later, first)
  assert.is(later.policy, first.policy)
})

test('B9: the final interval is the one at whose end the credits run out', () => {
  const run = { ...liveRun, credits_run_out_at: liveRun.next_deduction_at }
  assert.is(nextSnapshot(null, { ...known, run }).final_interval, true)
})

const base = { seq: 13, occurred_at: at(5), livestream_id: 'mine', run_id: 7 }
const forecast = { credits_consumed: 2, next_deduction_at: at(60), credits_run_out_at: at(60) }
const event = (kind: Incoming['kind'], payload: object) => ({ kind, payload }) as Incoming
const after = (one: Incoming, before: State = known): State => ({ ...before, ...changeBy(one, before, 'mine') })

test('V4: stream_started opens a run and forgets the last', () => {
  const started: StreamStarted = { ...base, run_id: 8, remaining_credits: 1, ...forecast }
  const next = after(event('stream_started', started), { ...known, run: endedRun, message: 'over' })
  assert.is(next.run?.run_id, 8)
  assert.is(next.run?.started_at, at(5))
  assert.is(nextSnapshot(null, next).state, 'live')
  assert.is(nextSnapshot(null, next).end, null)
})

test('credit_update: moves the balance, and the forecast of this run where it is named', () => {
  const update: CreditUpdate = {
    ...base,
    livestream_id: 'other',
    run_id: 9,
    remaining_credits: 1,
    change: -1,
    kind: 'deduction',
    interval_index: 1,
    runs: [
      { livestream_id: 'other', run_id: 9, ...forecast },
      { livestream_id: 'mine', run_id: 7, ...forecast, credits_consumed: 1 },
    ],
  }
  const next = after(event('credit_update', update))
  assert.is(next.remaining_credits, 1)
  assert.is(next.run?.credits_run_out_at, at(60))
  assert.is(next.run?.credits_consumed, 1)
  assert.not('livestream_id' in (next.run ?? {}))
})

test('A3: a warning says when the run ends, and activity takes it back', () => {
  const warning = event('inactivity_warning', { ...base, last_activity: at(0), inactive_minutes: 10, ends_at: at(16) })
  const warned = nextSnapshot(null, after(warning))
  assert.is(warned.inactivity_warned, true)
  assert.is(warned.inactivity_ends_at, at(16))
  const cleared = event('inactivity_cleared', { ...base, last_activity: at(12) })
  const back = nextSnapshot(null, after(cleared, after(warning)))
  assert.is(back.inactivity_warned, false)
  assert.is(back.inactivity_ends_at, at(27))
})

test('A2: an answer that comes late takes no activity back', () => {
  const run = { ...liveRun, last_activity: at(9) }
  assert.equal(activeAt(at(8), run), {})
  assert.is(activeAt(at(10), run).run?.last_activity, at(10))
})

test('A3: a page that comes late to a silence tells it from the snapshot', () => {
  const late = { ...snapshot, server_time: at(11) }
  assert.is(nextSnapshot(null, { ...known, ...changeTo(late, INITIAL_STATE) }).inactivity_warned, true)
})

test('a warning that was heard outlasts a snapshot of the same silence', () => {
  const warned = after(
    event('inactivity_warning', { ...base, last_activity: at(0), inactive_minutes: 10, ends_at: at(16) }),
  )
  const next = { ...warned, ...changeTo({ ...snapshot, server_time: at(11), seq: 13 }, warned) }
  assert.is(next.inactivity_ends_at, at(16))
})

const end: StreamEnded = {
  ...base,
  occurred_at: at(17),
  reason: 'operator',
  message: 'Livestream ended by an operator: bye',
  duration_minutes: 17,
  credits_consumed: 1,
  remaining_credits: 2,
}

test('E4: an end is told with its reason and message, and nothing is live any more', () => {
  const shown = nextSnapshot(null, after(event('stream_ended', end)))
  assert.is(shown.state, 'ended')
  assert.equal(shown.end, {
    run_id: 7,
    reason: 'operator',
    message: 'Livestream ended by an operator: bye',
    ended_at: at(17),
    duration_minutes: 17,
    credits_consumed: 1,
  })
  assert.is(shown.inactivity_ends_at, null)
  assert.is(shown.next_deduction_at, null)
  assert.is(shown.final_interval, false)
})

test('an end that only a snapshot tells is told by its reason', () => {
  const over = { ...snapshot, livestream: { ...snapshot.livestream, run: endedRun } }
  const { end: told } = nextSnapshot(null, { ...known, ...changeTo(over, INITIAL_STATE) })
  assert.is(told?.message, 'Livestream ended: inactivity')
  assert.is(told?.duration_minutes, 17)
})

test('events of another livestream change nothing of this one but the balance', () => {
  const next = after(event('stream_ended', { ...end, livestream_id: 'other', run_id: 9, remaining_credits: 1 }))
  assert.is(next.run, known.run)
  assert.is(next.remaining_credits, 1)
})

for (const { kind, livestream_id, expected } of [
  { kind: 'stream_ended', livestream_id: 'mine', expected: true },
  { kind: 'low_credit_warning', livestream_id: null, expected: true },
  { kind: 'credit_update', livestream_id: 'other', expected: true },
  { kind: 'stream_ended', livestream_id: 'other', expected: false },
] as const) {
  test(`a page ${expected ? 'hears' : 'does not hear'} a ${kind} of ${livestream_id}`, () => {
    assert.is(concerns(event(kind, { ...base, livestream_id }), 'mine'), expected)
  })
}

for (const { kind, payload, fault } of [
  { kind: 'stream_ended', payload: end, fault: undefined },
  { kind: 'credit_update', payload: { ...base, remaining_credits: 1 }, fault: 'runs' },
  { kind: 'inactivity_warning', payload: base, fault: 'last_activity' },
  { kind: 'low_credit_warning', payload: base, fault: 'threshold' },
  { kind: 'stream_ended', payload: base, fault: 'credits_consumed' },
  { kind: 'stream_ended', payload: { seq: 1, credits_consumed: 1 }, fault: 'occurred_at' },
] as const) {
  test(`a ${kind} ${fault ? `without ${fault} is malformed` : 'is well-formed'}`, () => {
    assert.is(faultOf(event(kind, payload)), fault)
  })
}

test.run()
