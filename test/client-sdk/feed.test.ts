import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { PROTOCOL_VERSION } from '../../client-sdk/protocol/index.js'
import { lost, type MeterError } from '../../client-sdk/src/errors.js'
import { createFeed } from '../../client-sdk/src/feed.js'
import type { Ask, Questions } from '../../client-sdk/src/line.js'
import { createServerClock } from '../../client-sdk/src/server-clock.js'
import { nextSnapshot } from '../../client-sdk/src/snapshot.js'
import { INITIAL_STATE } from '../../client-sdk/src/state.js'

const at = '2026-01-01T00:00:00.000Z'

function eventOf(seq: number) {
  return {
    event: 'credit_update' as const,
    seq,
    occurred_at: at,
    livestream_id: null,
    run_id: null,
    remaining_credits: seq,
    change: 1,
    kind: 'grant' as const,
    interval_index: null,
    runs: [],
  }
}

/** A feed before a server that has a history of so many events, and a wire that a test can fail. */
function world(head: number) {
  const server = { head, fails: 0, resets: false, asked: [] as string[] }
  const answers = {
    subscribe: ({ after }: { after?: number }) => ({
      seq: server.head,
      reset: after !== undefined && (server.resets || after > server.head),
      server_time: at,
      protocol_version: PROTOCOL_VERSION,
      livestream: { id: 'mine', seller_id: 'ann', title: '', created_at: at, run: null, connected: true },
      remaining_credits: server.head,
      policy: {},
    }),
    events: ({ after }: { after: number }) => ({
      // Pages of three, so that there are several.
      items: Array.from({ length: server.head }, (_, i) => eventOf(i + 1)).slice(after, after + 3),
      seq: server.head,
      reset: false,
    }),
  }
  const ask: Ask = async <K extends keyof Questions>(kind: K, request: Questions[K][0]) => {
    server.asked.push(kind)
    await turn()
    if (server.fails > 0) {
      server.fails -= 1
      throw lost('cut')
    }
    return answers[kind as 'subscribe'](request as { after?: number }) as unknown as Questions[K][1]
  }
  const heard: number[] = []
  const errors: string[] = []
  let state = INITIAL_STATE
  const feed = createFeed({
    livestreamId: 'mine',
    ask,
    clock: createServerClock(),
    state: () => state,
    snapshot: () => nextSnapshot(null, state),
    change(by, event) {
      state = { ...state, ...by }
      if (event) heard.push(event.payload.seq)
    },
    trouble: (error) => void errors.push((error as MeterError).code),
  })
  const deliver = (seq: number) => {
    const { event, ...payload } = eventOf(seq)
    feed.take(event, payload)
  }
  /** A new socket: the server sends everything past `after`, then answers (V3). */
  const reconnect = async () => {
    for (let seq = (state.seq ?? server.head) + 1; seq <= server.head; seq += 1) deliver(seq)
    await feed.resync().catch(() => undefined)
  }
  return { server, feed, heard, errors, deliver, reconnect, state: () => state }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const idle = async () => {
  for (let i = 0; i < 40; i += 1) await turn()
}

type Step = { do: 'emit' | 'lose' | 'repeat' | 'reconnect' | 'wait' | 'fail'; which: number }
const steps = fc.array(
  fc.record<Step>({
    do: fc.constantFrom('emit', 'emit', 'emit', 'lose', 'repeat', 'reconnect', 'wait', 'fail'),
    which: fc.nat(20),
  }),
  { maxLength: 40 },
)

test('V3: whatever the connection does, listeners hear every event once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(5), steps, async (head, all) => {
      const { server, heard, deliver, reconnect } = world(head)
      await reconnect()
      for (const step of all) {
        if (step.do === 'emit' || step.do === 'lose') server.head += 1
        if (step.do === 'emit') deliver(server.head)
        if (step.do === 'repeat' && server.head > 0) deliver(1 + (step.which % server.head))
        if (step.do === 'reconnect') void reconnect()
        if (step.do === 'fail') server.fails += 1
        if (step.do === 'wait') await turn()
      }
      await idle()
      server.fails = 0
      await reconnect()
      await idle()
      assert.equal(
        heard,
        Array.from({ length: server.head - head }, (_, i) => head + 1 + i),
      )
    }),
    { numRuns: 300 },
  )
})

test('V3: after a reset the snapshot stands for what was missed', async () => {
  const { server, heard, reconnect, state, deliver } = world(4)
  await reconnect()
  server.head = 2_000
  server.resets = true
  await reconnect()
  assert.is(state().seq, 2_000)
  assert.equal(heard.length, 1_996, 'what came over the wire before the answer is heard')
  server.head = 1
  await reconnect()
  assert.is(state().seq, 1, 'another history')
  server.head = 2
  deliver(2)
  assert.is(heard.at(-1), 2)
})

for (const { what, payload } of [
  { what: 'nothing', payload: undefined },
  { what: 'null', payload: null },
  { what: 'a text', payload: 'credit_update' },
  { what: 'a sequence that is no number', payload: { seq: '2' } },
  { what: 'half of its fields', payload: { seq: 2, occurred_at: at } },
]) {
  test(`bad input: an event of ${what} is told as malformed, and the snapshot stands for it`, async () => {
    const { server, feed, errors, reconnect, state, deliver, heard } = world(1)
    await reconnect()
    server.head = 2
    feed.take('credit_update', payload)
    await idle()
    assert.equal(errors, ['malformed_event'])
    assert.is(state().remaining_credits, 2)
    assert.is(state().seq, 2)
    server.head = 3
    deliver(3)
    await idle()
    assert.is(heard.at(-1), 3)
    assert.equal(errors, ['malformed_event'], 'and it is over with that')
  })
}

test('an event of a kind that a newer server has is passed over', async () => {
  const { server, feed, errors, reconnect, state } = world(1)
  await reconnect()
  server.head = 2
  feed.take('confetti_thrown', { seq: 2, occurred_at: at, livestream_id: 'mine', run_id: null })
  await idle()
  assert.equal(errors, [])
  assert.is(state().seq, 2)
})

test('an event that claims a place far ahead is looked into once', async () => {
  const { server, feed, reconnect } = world(1)
  await reconnect()
  server.asked.length = 0
  feed.take('credit_update', { ...eventOf(1), seq: 1e9 })
  await idle()
  assert.equal(server.asked, ['subscribe'])
})

test('a server that never answers well is not asked in a loop', async () => {
  const { server, feed, reconnect } = world(1)
  await reconnect()
  server.fails = Number.POSITIVE_INFINITY
  server.asked.length = 0
  feed.take('credit_update', { seq: 9 })
  await idle()
  assert.is(server.asked.length, 1)
})

test.run()
