import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startApp } from '../../server/app.js'
import { MINUTE_MS } from '../../server/domain/instant.js'
import { pruneStamps } from '../../server/store/stamps.js'
import { faultsOfBooks } from '../support/books.js'
import { elapse } from '../support/elapse.js'
import { SILENT_LOG } from '../support/fresh-database.js'
import { handClock } from '../support/hand-clock.js'
import { grant, makeSeller, type TestSeller } from '../support/sellers.js'
import { startServer, type TestServer } from '../support/server.js'
import { connect, disconnectAll, until } from '../support/sockets.js'

// Servers that go away and come back, laptops that sleep, and wall clocks that are set: the whole server, by its doors.

const HOUR_MS = 60 * MINUTE_MS

function testOnServer(title: string, run: (server: TestServer) => Promise<void>): void {
  test(title, async () => {
    const server = await startServer()
    try {
      await run(server)
      assert.equal(await faultsOfBooks(server.database), [])
    } finally {
      disconnectAll()
      await server.close()
    }
  })
}

/** Stops the server, and starts it again after so long a time. */
async function downFor(server: TestServer, ms: number): Promise<void> {
  await server.app.stop()
  server.clock.advance(ms)
  await server.restart()
}

const rest = async (server: TestServer, { token, livestreamId }: TestSeller, method: string, action = '') =>
  (await server.request(method, `/api/livestreams/${livestreamId}/${action}`, { token })).body
const start = (server: TestServer, seller: TestSeller) => rest(server, seller, 'PATCH', 'start/')
const heartbeat = (server: TestServer, seller: TestSeller) => rest(server, seller, 'POST', 'heartbeat/')

const runOf = ({ database }: TestServer, { id }: TestSeller) =>
  database.db.selectFrom('runs').selectAll().where('seller_id', '=', id).orderBy('id', 'desc').executeTakeFirstOrThrow()
const outages = ({ database }: TestServer) => database.db.selectFrom('outages').selectAll().execute()

async function kindsOf({ database }: TestServer, { id }: TestSeller): Promise<string[]> {
  const rows = await database.db
    .selectFrom('events')
    .select('kind')
    .where('seller_id', '=', id)
    .orderBy('seq')
    .execute()
  return rows.map(({ kind }) => kind)
}

/** The intervals that a seller has paid for. */
async function paid({ database }: TestServer, { id }: TestSeller): Promise<(number | null)[]> {
  const entries = database.db.selectFrom('ledger_entries').select('interval_index').where('seller_id', '=', id)
  return (await entries.where('kind', '=', 'deduction').orderBy('id').execute()).map((row) => row.interval_index)
}

async function untilSettled(server: TestServer, seller: TestSeller, condition: string): Promise<void> {
  await until(async () => (await kindsOf(server, seller)).includes(condition), `${condition} of ${seller.id}`)
}

testOnServer('A5: a server that was down for 20 minutes ends nothing, and silence begins anew', async (server) => {
  const ann = await makeSeller(server)
  await start(server, ann)
  await elapse(server, 5 * MINUTE_MS)
  await heartbeat(server, ann)
  const wentAt = server.clock.now()
  await downFor(server, 20 * MINUTE_MS)
  const cameAt = server.clock.now()
  assert.equal(await outages(server), [{ began_at: wentAt, ended_at: cameAt }])
  await server.app.sweep()
  assert.is((await runOf(server, ann)).ended_at, null)

  // Warned 10 minutes after the outage, and ended 15 minutes after it.
  await server.pass(10 * MINUTE_MS - 1)
  assert.is((await runOf(server, ann)).warned_at, null)
  await server.pass(1)
  const warned = await runOf(server, ann)
  assert.equal([warned.warned_at, warned.last_activity_at], [cameAt + 10 * MINUTE_MS, wentAt])
  await server.pass(5 * MINUTE_MS - 1)
  assert.is((await runOf(server, ann)).ended_at, null)
  await server.pass(1)
  const ended = await runOf(server, ann)
  assert.equal([ended.ended_at, ended.end_reason], [cameAt + 15 * MINUTE_MS, 'inactivity'])
})

testOnServer('A3, A5: the end of an outage clears a warning at once', async (server) => {
  const ann = await makeSeller(server)
  await start(server, ann)
  await server.pass(10 * MINUTE_MS)
  await elapse(server, MINUTE_MS)
  const heard = (await kindsOf(server, ann)).length
  assert.is((await kindsOf(server, ann)).at(-1), 'inactivity_warning')
  await downFor(server, 20 * MINUTE_MS)
  // Nobody asks for it: what is due is found by the first pass of the sweep.
  await untilSettled(server, ann, 'inactivity_cleared')
  const socket = await connect(server.url, ann.token)
  await socket.ask('subscribe', { livestream_id: ann.livestreamId, after: heard })
  const about = { livestream_id: ann.livestreamId, run_id: (await runOf(server, ann)).id }
  const [occurred_at, last_activity] = [0, 31].map((ago) =>
    new Date(server.clock.now() - ago * MINUTE_MS).toISOString(),
  )
  assert.equal(socket.events, [{ event: 'inactivity_cleared', seq: heard + 1, occurred_at, ...about, last_activity }])
  const run = await runOf(server, ann)
  const now = server.clock.now()
  assert.equal([run.silent_since, run.warned_at, run.due_at], [now, null, now + 10 * MINUTE_MS])
})

const waivers: { what: string; pingedFor: number; down: number; credits: number; later: number; paid: number[] }[] = [
  {
    what: 'three hours: all that begins in it is waived, its end included',
    ...{ pingedFor: 0, down: 180, credits: 5, later: 30, paid: [0, 7] },
  },
  {
    what: 'what begins within the auto-end time of its beginning is paid',
    ...{ pingedFor: 20, down: 60, credits: 5, later: 10, paid: [0, 1, 3] },
  },
  {
    what: 'what begins exactly at the auto-end time is paid, too',
    ...{ pingedFor: 15, down: 60, credits: 5, later: 15, paid: [0, 1, 3] },
  },
  {
    what: 'a waived interval ends nobody for want of credits',
    ...{ pingedFor: 0, down: 89, credits: 1, later: 0, paid: [0] },
  },
  { what: 'a short one waives nothing', ...{ pingedFor: 20, down: 12, credits: 5, later: 0, paid: [0, 1] } },
]
for (const { what, pingedFor, down, credits, later, paid: expected } of waivers) {
  testOnServer(`B12: a server down for ${down} minutes: ${what}`, async (server) => {
    const ann = await makeSeller(server, credits)
    await start(server, ann)
    for (let minute = 0; minute < pingedFor; minute += 5) {
      await elapse(server, 5 * MINUTE_MS)
      await heartbeat(server, ann)
    }
    await downFor(server, down * MINUTE_MS)
    await heartbeat(server, ann)
    for (let minute = 0; minute < later; minute += 5) {
      await elapse(server, 5 * MINUTE_MS)
      await heartbeat(server, ann)
    }
    assert.equal(await paid(server, ann), expected)
    assert.is((await runOf(server, ann)).ended_at, null)
  })
}

testOnServer(
  'B3, B12: after an outage the next interval that cannot be paid ends the run, at its beginning',
  async (server) => {
    const ann = await makeSeller(server, 1)
    await start(server, ann)
    await downFor(server, 89 * MINUTE_MS)
    await heartbeat(server, ann)
    await server.pass(MINUTE_MS)
    const run = await runOf(server, ann)
    assert.equal([run.ended_at, run.end_reason], [run.started_at + 90 * MINUTE_MS, 'credits_exhausted'])
  },
)

testOnServer('A5: a deadline that had passed before the outage stands', async (server) => {
  const ann = await makeSeller(server)
  await start(server, ann)
  await elapse(server, 15 * MINUTE_MS)
  await downFor(server, 20 * MINUTE_MS)
  await server.app.sweep()
  const run = await runOf(server, ann)
  assert.equal([run.ended_at, run.end_reason], [run.started_at + 15 * MINUTE_MS, 'inactivity'])
})

const firstActs: { what: string; act: (server: TestServer, seller: TestSeller) => Promise<unknown> }[] = [
  { what: 'a sweep', act: (server) => server.app.sweep() },
  { what: 'a heartbeat', act: heartbeat },
  { what: 'a check', act: (server, seller) => rest(server, seller, 'POST', 'check_credits/') },
  { what: 'a look at the livestream', act: (server, seller) => rest(server, seller, 'GET') },
  { what: 'a start that is refused', act: start },
  { what: 'a grant', act: (server, { id }) => grant(server, id, 1) },
  { what: 'a list', act: (server, { token }) => server.request('GET', '/api/livestreams/?status=live', { token }) },
  {
    what: 'a ping',
    act: async ({ url }, { token, livestreamId }) =>
      (await connect(url, token)).ask('ping', { livestream_id: livestreamId }),
  },
  {
    what: 'a subscribe',
    act: async ({ url }, { token, livestreamId }) =>
      (await connect(url, token)).ask('subscribe', { livestream_id: livestreamId }),
  },
]
for (const { what, act } of firstActs) {
  testOnServer(`A5: a laptop that slept, and ${what} is the first to notice: nothing ended`, async (server) => {
    const ann = await makeSeller(server)
    await start(server, ann)
    const wentAt = server.clock.now()
    server.clock.advance(40 * MINUTE_MS)
    await act(server, ann)
    await server.app.sweep()
    assert.equal(await outages(server), [{ began_at: wentAt, ended_at: server.clock.now() }])
    const run = await runOf(server, ann)
    assert.equal([run.ended_at, run.silent_since, run.billed_intervals], [null, server.clock.now(), 2])
    assert.equal(await paid(server, ann), [0])
  })
}

testOnServer('A5: an end after a laptop slept is the end of its seller', async (server) => {
  const ann = await makeSeller(server)
  await start(server, ann)
  server.clock.advance(40 * MINUTE_MS)
  const { end_reason, duration_minutes } = await rest(server, ann, 'PATCH', 'end/')
  assert.equal([end_reason, duration_minutes], ['seller', 40])
})

testOnServer('A5: a gap of 3 s is no outage, one of more is', async (server) => {
  await server.app.sweep()
  const seller = await makeSeller(server)
  await start(server, seller)
  server.clock.advance(3_000)
  await heartbeat(server, seller)
  await grant(server, seller.id, 1)
  assert.equal(await outages(server), [])
  const beganAt = server.clock.now()
  server.clock.advance(3_001)
  await heartbeat(server, seller)
  assert.equal(await outages(server), [{ began_at: beganAt, ended_at: beganAt + 3_001 }])
})

testOnServer('A5: outages that touch each other restart the silence each time', async (server) => {
  const ann = await makeSeller(server)
  await start(server, ann)
  for (let count = 0; count < 6; count += 1) {
    await downFor(server, 14 * MINUTE_MS)
    await elapse(server, MINUTE_MS)
  }
  await server.app.sweep()
  const run = await runOf(server, ann)
  assert.equal([run.ended_at, run.silent_since], [null, server.clock.now() - MINUTE_MS])
  assert.is((await outages(server)).length, 6)
})

testOnServer('A5: the newest stamp outlives the pruning, so that a long outage is still found', async (server) => {
  const ann = await makeSeller(server)
  await start(server, ann)
  const wentAt = server.clock.now()
  await server.app.stop()
  server.clock.advance(30 * 24 * HOUR_MS)
  await pruneStamps(server.database.db, server.clock.now())
  await server.restart()
  assert.equal(await outages(server), [{ began_at: wentAt, ended_at: server.clock.now() }])
  assert.is((await heartbeat(server, ann)).credits_consumed, 1)
})

testOnServer('B4, A2: a wall clock that is set back stands still, until it has caught up', async (server) => {
  const ann = await makeSeller(server)
  await start(server, ann)
  await elapse(server, 5 * MINUTE_MS)
  const now = new Date(server.clock.now()).toISOString()
  server.clock.advance(-2 * HOUR_MS)
  for (const hours of [0, 1, 1]) {
    server.clock.advance(hours * HOUR_MS)
    assert.is((await heartbeat(server, ann)).last_activity, now)
    await server.app.sweep()
  }
  const [entry] = (await server.request('GET', '/api/credits/ledger/', { token: ann.token })).body.items
  assert.is(entry.interval_index, 0)
  await grant(server, ann.id, 1)
  const [granted] = (await server.request('GET', '/api/credits/ledger/', { token: ann.token })).body.items
  assert.is(granted.occurred_at, now)
  server.clock.advance(1_000)
  assert.is(Date.parse((await heartbeat(server, ann)).last_activity), Date.parse(now) + 1_000)
  assert.equal(await outages(server), [])
})

testOnServer('B4: a server that starts with a clock behind the last stamp stands still, too', async (server) => {
  const ann = await makeSeller(server)
  await start(server, ann)
  for (let count = 0; count < 2; count += 1) {
    await elapse(server, 10 * MINUTE_MS)
    await heartbeat(server, ann)
  }
  const run = await runOf(server, ann)
  await server.app.stop()
  const last = server.clock.now()
  // This process has never seen the later time; the stamps have.
  const clock = handClock(last - HOUR_MS)
  const late = await startApp(server.config, { clock, log: SILENT_LOG, isClockMovedByHand: true })
  const ask = async (method: string, action: string) => {
    const url = `${late.url}/api/livestreams/${ann.livestreamId}/${action}`
    const response = await fetch(url, { method, headers: { authorization: `Bearer ${ann.token}` } })
    return response.json() as Promise<Record<string, unknown>>
  }
  try {
    await late.sweep()
    assert.is((await ask('POST', 'heartbeat/'))['last_activity'], new Date(last).toISOString())
    assert.is((await ask('POST', 'check_credits/'))['time_until_next_deduction_minutes'], 10)
    assert.equal(await runOf(server, ann), run)
    assert.is((await ask('PATCH', 'end/'))['duration_minutes'], 20)
    const again = await ask('PATCH', 'start/')
    assert.is(again['started_at'], new Date(last).toISOString())
    clock.advance(HOUR_MS + 2_000)
    assert.is((await ask('POST', 'heartbeat/'))['last_activity'], new Date(last + 2_000).toISOString())
    assert.equal(await outages(server), [])
  } finally {
    await late.stop()
  }
})

test.run()
