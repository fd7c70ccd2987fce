import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CLIENT_EVENTS } from '../../../client-sdk/protocol/index.js'
import { databaseFacts } from '../../support/database-facts.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'
import { connect, disconnectAll, type TestSocket, until } from '../../support/sockets.js'

const server = await startServer()
const seller = await makeSeller(server)
const other = await makeSeller(server)
const payload = { livestream_id: seller.livestreamId }
const ofOther = { livestream_id: other.livestreamId }
const connected = await connect(server.url, seller.token)
const connectedOther = await connect(server.url, other.token)
await connected.ask('subscribe', payload)
await connectedOther.ask('subscribe', ofOther)
test.after(async () => {
  disconnectAll()
  await server.close()
})

const LIVESTREAM_EVENTS = ['subscribe', 'ping', 'start', 'end'] as const

/** Sends without an acknowledgement, and resolves with the `request_error` that comes. */
async function errorOf({ socket, errors }: TestSocket, event: string, ...payloads: unknown[]): Promise<object> {
  const before = errors.length
  socket.emit(event, ...payloads)
  await until(() => errors.length > before, `a request_error for ${event}`)
  assert.is(errors.length, before + 1)
  return errors[before] ?? {}
}

interface BadRequest {
  readonly what: string
  readonly events: readonly string[]
  readonly payloads: readonly unknown[]
  /** The field that the answer names; undefined where the payload as a whole does not fit. */
  readonly field?: string
}

/** As JSON carries it: a key of its own, not the prototype. */
const withProto = (fields: object): unknown => JSON.parse(`{"__proto__":{"a":1},${JSON.stringify(fields).slice(1)}`)

const badRequests: BadRequest[] = [
  ...(
    [
      ['no payload', []],
      ['null', [null]],
      ['a text', [seller.livestreamId]],
      ['a number', [5]],
      ['true', [true]],
      ['a list', [[seller.livestreamId]]],
      ['two payloads', [payload, payload]],
    ] as const
  ).map(([what, payloads]) => ({ what, events: CLIENT_EVENTS, payloads })),
  ...(
    [
      ['nothing', {}],
      ['beside a binary', Buffer.from(seller.livestreamId)],
      ['a number', { livestream_id: 5 }],
      ['null', { livestream_id: null }],
      ['a list', { livestream_id: [seller.livestreamId] }],
      ['an object', { livestream_id: { $ne: null } }],
      ['an empty text', { livestream_id: '' }],
      ['129 characters', { livestream_id: 'x'.repeat(129) }],
      ['a quote', { livestream_id: "a'b" }],
      ['a double quote', { livestream_id: 'a"b' }],
      ['a slash', { livestream_id: `../${seller.livestreamId}` }],
      ['a NUL', { livestream_id: `${seller.livestreamId}\0` }],
      ['a line end', { livestream_id: `${seller.livestreamId}\n` }],
      ['a blank', { livestream_id: `${seller.livestreamId} ` }],
      ['a letter beyond ASCII', { livestream_id: 'ströme' }],
      ['a word of the routes', { livestream_id: 'credit-monitor' }],
      ['its name in camel case', { livestreamId: seller.livestreamId }],
    ] as const
  ).map(([what, bad]) => ({
    what: `a livestream_id that is ${what}`,
    events: LIVESTREAM_EVENTS,
    payloads: [bad],
    field: 'livestream_id',
  })),
  ...[-1, 1.5, '5', null, true, [1], 2 ** 53].map((after) => ({
    what: `after: ${JSON.stringify(after)}`,
    events: ['subscribe'],
    payloads: [{ ...payload, after }],
    field: 'after',
  })),
  ...[0, -1, 1.5, '2', 1_001, null].map((time_scale) => ({
    what: `time_scale: ${JSON.stringify(time_scale)}`,
    events: ['start'],
    payloads: [{ ...payload, time_scale }],
    field: 'time_scale',
  })),
  ...[{}, { token: '' }, { token: 5 }, { token: null }, { token: [seller.token] }].map((bad) => ({
    what: JSON.stringify(bad).slice(0, 20),
    events: ['renew'],
    payloads: [bad],
    field: 'token',
  })),
  {
    what: 'an unknown field',
    events: LIVESTREAM_EVENTS,
    payloads: [{ ...payload, seller_id: other.id }],
    field: 'seller_id',
  },
  { what: 'an unknown field', events: ['renew'], payloads: [{ token: seller.token, sub: other.id }], field: 'sub' },
  { what: 'after where it does not belong', events: ['ping'], payloads: [{ ...payload, after: 1 }], field: 'after' },
  { what: '__proto__', events: LIVESTREAM_EVENTS, payloads: [withProto(payload)], field: '__proto__' },
  { what: '__proto__', events: ['renew'], payloads: [withProto({ token: seller.token })], field: '__proto__' },
]

for (const { what, events, payloads, field } of badRequests) {
  test(`P3, P5: ${events.join('/')} with ${what} is an invalid_request${field ? ` of ${field}` : ''}`, async () => {
    const before = await databaseFacts(server.database)
    const named = field === undefined ? {} : { field }
    for (const event of events) {
      const { error, ...answer } = await connected.ask(event, ...payloads)
      assert.equal(answer, { ok: false, code: 'invalid_request', ...named })
      if (field) assert.match(error, field)
      assert.equal(await errorOf(connected, event, ...payloads), { event, error, code: 'invalid_request', ...named })
    }
    assert.equal(await databaseFacts(server.database), before)
  })
}

for (const event of ['nonsense', 'heartbeat', 'PING', 'toString', 'constructor', '__proto__', '', 'stream_started']) {
  test(`P3: '${event}' is an unknown_event`, async () => {
    const before = await databaseFacts(server.database)
    const { error, ...answer } = await connected.ask(event, payload)
    assert.equal(answer, { ok: false, code: 'unknown_event' })
    for (const known of CLIENT_EVENTS) assert.match(error, known)
    assert.equal(await errorOf(connected, event, payload), { event, error, code: 'unknown_event' })
    assert.equal(await databaseFacts(server.database), before)
  })
}

for (const event of LIVESTREAM_EVENTS) {
  test(`E1: ${event} of another seller's livestream is refused, live or not`, async () => {
    for (const live of [false, true]) {
      if (live) await connectedOther.ask('start', ofOther)
      const before = await databaseFacts(server.database)
      const told = connectedOther.log.length
      const refused = { error: 'Permission denied', code: 'permission_denied' }
      assert.equal(await connected.ask(event, ofOther), { ok: false, ...refused })
      assert.equal(await errorOf(connected, event, ofOther), { event, ...refused })
      assert.equal(await databaseFacts(server.database), before)
      assert.is(connectedOther.log.length, told)
    }
    await connectedOther.ask('end', ofOther)
  })

  test(`P3: ${event} of a livestream that is not there is refused`, async () => {
    const before = await databaseFacts(server.database)
    const refused = { error: 'Livestream not found', code: 'livestream_not_found' }
    assert.equal(await connected.ask(event, { livestream_id: 'nowhere' }), { ok: false, ...refused })
    assert.equal(await errorOf(connected, event, { livestream_id: 'nowhere' }), { event, ...refused })
    assert.equal(await databaseFacts(server.database), before)
  })
}

test('P3: refusals carry the run that they are about', async () => {
  const { run_id } = await connected.ask('start', payload)
  const again = { error: 'Livestream is already live', code: 'livestream_already_live', run_id }
  assert.equal(await connected.ask('start', payload), { ok: false, ...again })
  assert.equal(await errorOf(connected, 'start', payload), { event: 'start', ...again })

  await connected.ask('end', payload)
  const over = {
    error: 'Livestream is not currently live',
    code: 'livestream_not_live',
    run_id,
    end_reason: 'seller',
  }
  for (const event of ['ping', 'end']) {
    assert.equal(await connected.ask(event, payload), { ok: false, ...over })
    assert.equal(await errorOf(connected, event, payload), { event, ...over })
  }
})

test('P3: what is sent without an acknowledgement is carried out, and not answered', async () => {
  const fresh = await makeSeller(server)
  const quiet = await connect(server.url, fresh.token)
  const own = { livestream_id: fresh.livestreamId }
  for (const event of ['subscribe', 'start', 'ping', 'end']) quiet.socket.emit(event, own)
  quiet.socket.emit('renew', { token: fresh.token })
  const ended = await quiet.event(4)
  assert.is(ended.event, 'stream_ended')
  await quiet.ask('subscribe', own)
  assert.equal(quiet.log, ['stream_started', 'credit_update', 'stream_ended', 'ack:subscribe'])
})

test('P3, E1: a seller without credits cannot start', async () => {
  const poor = await makeSeller(server, 0)
  const own = { livestream_id: poor.livestreamId }
  const socket = await connect(server.url, poor.token)
  const before = await databaseFacts(server.database)
  const refused = { error: 'Insufficient credits to start livestream', code: 'insufficient_credits' }
  assert.equal(await socket.ask('start', own), { ok: false, ...refused })
  assert.equal(await errorOf(socket, 'start', own), { event: 'start', ...refused })
  assert.equal(await databaseFacts(server.database), before)
})

test('P3: time_scale divides the times of a run in development, and is refused elsewhere', async () => {
  const fresh = await makeSeller(server)
  const own = { livestream_id: fresh.livestreamId }
  const socket = await connect(server.url, fresh.token)
  const started = await socket.ask('start', { ...own, time_scale: 60 })
  assert.is(Date.parse(started.next_deduction_at) - Date.parse(started.started_at), 30_000)
  const { policy } = await socket.ask('subscribe', own)
  assert.is(policy.deduction_interval_ms, 30_000)

  const production = await startServer({ NODE_ENV: 'production' })
  const { token, livestreamId } = await makeSeller(production)
  const strict = await connect(production.url, token)
  const before = await databaseFacts(production.database)
  const { ok, code, field } = await strict.ask('start', { livestream_id: livestreamId, time_scale: 60 })
  assert.equal({ ok, code, field }, { ok: false, code: 'invalid_request', field: 'time_scale' })
  assert.equal(await databaseFacts(production.database), before)
  assert.is((await strict.ask('start', { livestream_id: livestreamId, time_scale: 1 })).ok, true)
  await production.close()
})

const together: { sent: string[]; told: string[]; codes: (string | undefined)[] }[] = [
  {
    sent: ['start', 'ping', 'end'],
    told: ['stream_started', 'credit_update', 'stream_ended'],
    codes: [undefined, undefined, undefined],
  },
  {
    sent: ['ping', 'start', 'end', 'ping'],
    told: ['stream_started', 'credit_update', 'stream_ended'],
    codes: ['livestream_not_live', undefined, undefined, 'livestream_not_live'],
  },
  {
    sent: ['start', 'start', 'end', 'end', 'start', 'ping', 'ping', 'ping', 'end'],
    told: [
      ...['stream_started', 'credit_update', 'stream_ended'],
      ...['stream_started', 'credit_update', 'stream_ended'],
    ],
    codes: [
      ...[undefined, 'livestream_already_live', undefined, 'livestream_not_live'],
      ...[undefined, undefined, undefined, undefined, undefined],
    ],
  },
]
for (const { sent, told, codes } of together) {
  test(`P3: ${sent.join(', ')}, sent without waiting, are done in this order`, async () => {
    const fresh = await makeSeller(server)
    const own = { livestream_id: fresh.livestreamId }
    const socket = await connect(server.url, fresh.token)
    await socket.ask('subscribe', own)
    const answers = await Promise.all(sent.map((event) => socket.ask(event, own)))
    assert.equal(
      answers.map(({ code }) => code),
      codes,
    )
    await until(() => socket.events.length >= told.length, 'the events')
    assert.equal(
      socket.events.map(({ event }) => event),
      told,
    )
  })
}

test('P3, V3: what a subscribe is followed by at once is told, and what came before it is in the snapshot', async () => {
  const fresh = await makeSeller(server)
  const own = { livestream_id: fresh.livestreamId }
  const socket = await connect(server.url, fresh.token)
  const [, snapshot] = await Promise.all(['start', 'subscribe', 'end'].map((event) => socket.ask(event, own)))
  assert.is(snapshot.livestream.run.status, 'live')
  const ended = await socket.event(snapshot.seq + 1)
  assert.is(ended.event, 'stream_ended')
  assert.is(socket.events.length, 1)
})

test.run()
