import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { SellerEvent } from '../../../client-sdk/protocol/index.js'
import { insertEvents } from '../../../server/store/events.js'
import { runCli, secondProcess } from '../../support/second-process.js'
import { grant, makeSeller, type TestSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'
import { connect, disconnectAll, type TestSocket, until } from '../../support/sockets.js'

const server = await startServer()
const second = secondProcess(server)
test.after(async () => {
  disconnectAll()
  await server.close()
})

const seqs = (events: readonly SellerEvent[]): number[] => events.map(({ seq }) => seq)
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)

/** Makes so many events of a seller at once, as a burst would. */
async function writeEvents({ id }: TestSeller, count: number): Promise<number> {
  return server.database.db.transaction().execute(async (tx) => {
    const { rows } = await sql<{
      seq: number
    }>`select last_seq as seq from credit_accounts where seller_id = ${id}`.execute(tx)
    const from = (rows[0]?.seq ?? 0) + 1
    const events = range(from, from + count - 1).map((seq) => {
      const about = { occurred_at: '2026-01-01T00:00:00.000Z', livestream_id: 'x', run_id: 1 }
      const payload = { seq, ...about, last_activity: '2026-01-01T00:00:00.000Z' }
      return { sellerId: id, event: { kind: 'inactivity_cleared', at: 0, payload } } as const
    })
    await insertEvents(tx, events)
    return from + count - 1
  })
}

const join = (socket: TestSocket, { livestreamId }: TestSeller, after?: number) =>
  socket.ask('subscribe', { livestream_id: livestreamId, ...(after === undefined ? {} : { after }) })

test('V3: a socket hears nothing before its first successful subscribe', async () => {
  const ann = await makeSeller(server)
  const bob = await makeSeller(server)
  const early = await connect(server.url, ann.token)
  const late = await connect(server.url, ann.token)
  await join(early, ann)
  assert.is((await join(late, bob)).code, 'permission_denied')
  assert.is((await late.ask('subscribe', {})).code, 'invalid_request')
  await late.ask('start', { livestream_id: ann.livestreamId })
  await grant(server, ann.id, 1)
  await early.event(4)
  assert.equal(late.events, [])
  const { seq } = await join(late, ann)
  await grant(server, ann.id, 1)
  await late.event(seq + 1)
  assert.equal(seqs(late.events), [seq + 1])
})

test('V3: each socket has a cursor of its own', async () => {
  const ann = await makeSeller(server)
  const sockets: { socket: TestSocket; from: number }[] = []
  for (let round = 0; round < 4; round += 1) {
    const socket = await connect(server.url, ann.token)
    const { seq } = await join(socket, ann)
    sockets.push({ socket, from: seq })
    await grant(server, ann.id, 1)
  }
  const newest = 1 + sockets.length
  for (const { socket, from } of sockets) {
    await socket.event(newest)
    assert.equal(seqs(socket.events), range(from + 1, newest))
  }
})

test('V3: a socket that subscribes again is sent nothing again', async () => {
  const ann = await makeSeller(server)
  const socket = await connect(server.url, ann.token)
  await join(socket, ann, 0)
  await grant(server, ann.id, 1)
  for (const after of [undefined, 0, 1]) {
    const { seq, reset } = await join(socket, ann, after)
    assert.equal({ seq, reset }, { seq: 2, reset: false })
  }
  await grant(server, ann.id, 1)
  await socket.event(3)
  assert.equal(seqs(socket.events), [1, 2, 3])
})

test('V3: after n everything past n comes, in order and before the snapshot', async () => {
  const ann = await makeSeller(server)
  const newest = await writeEvents(ann, 30)
  for (const after of [0, 1, 13, newest - 1, newest]) {
    const socket = await connect(server.url, ann.token)
    const { seq, reset } = await join(socket, ann, after)
    assert.equal({ seq, reset }, { seq: newest, reset: false })
    assert.equal(seqs(socket.events), range(after + 1, newest))
    assert.is(socket.log.at(-1), 'ack:subscribe')
  }
})

test('V3: a client of another history gets a snapshot with reset, and then what follows', async () => {
  const ann = await makeSeller(server)
  const socket = await connect(server.url, ann.token)
  const { seq, reset } = await join(socket, ann, 17)
  assert.equal({ seq, reset }, { seq: 1, reset: true })
  await grant(server, ann.id, 1)
  await socket.event(2)
  assert.equal(seqs(socket.events), [2])
})

test('V3: 1,000 missed events are sent; for more the snapshot stands, with reset', async () => {
  const ann = await makeSeller(server)
  const newest = await writeEvents(ann, 1_100)
  const some = await connect(server.url, ann.token)
  const { seq, reset } = await join(some, ann, newest - 1_000)
  assert.equal({ seq, reset }, { seq: newest, reset: false })
  assert.equal(seqs(some.events), range(newest - 999, newest))

  const none = await connect(server.url, ann.token)
  const answer = await join(none, ann, newest - 1_001)
  assert.equal({ seq: answer.seq, reset: answer.reset }, { seq: newest, reset: true })
  assert.equal(none.events, [])
  await grant(server, ann.id, 1)
  for (const socket of [some, none]) assert.is((await socket.event(newest + 1)).event, 'credit_update')
})

test('V3: events that are no longer kept are a reset, those that are kept are sent', async () => {
  const ann = await makeSeller(server)
  const newest = await writeEvents(ann, 20)
  await sql`delete from events where seller_id = ${ann.id} and seq <= 10`.execute(server.database.db)
  for (const { after, reset } of [
    { after: 0, reset: true },
    { after: 9, reset: true },
    { after: 10, reset: false },
    { after: newest, reset: false },
  ]) {
    const socket = await connect(server.url, ann.token)
    assert.is((await join(socket, ann, after)).reset, reset)
    assert.equal(seqs(socket.events), reset ? [] : range(after + 1, newest))
  }
})

test('V3: what is of another livestream of the seller is heard too, and nothing of another seller', async () => {
  const ann = await makeSeller(server)
  const bob = await makeSeller(server)
  const { body } = await server.request('POST', '/api/livestreams/', { token: ann.token, body: { title: 'Another' } })
  const [socket, other] = [await connect(server.url, ann.token), await connect(server.url, bob.token)]
  await join(socket, ann)
  await join(other, bob)
  await socket.ask('start', { livestream_id: body.id })
  const started = await socket.event(2)
  assert.is(started.livestream_id, body.id)
  await grant(server, bob.id, 1)
  await other.event(2)
  assert.equal(seqs(other.events), [2])
})

test('V3: what another process writes arrives within a second or so', async () => {
  const ann = await makeSeller(server)
  const sockets = await Promise.all([0, 1].map(() => connect(server.url, ann.token)))
  for (const socket of sockets) await join(socket, ann)
  const writtenAt = performance.now()
  await second.move(ann.id, 7)
  await second.move(ann.id, -1)
  for (const socket of sockets) {
    await socket.event(3)
    assert.equal(
      socket.events.map((event) => event.event === 'credit_update' && event.remaining_credits),
      [17, 16],
    )
  }
  // The look comes every second; a busy machine may be late.
  assert.ok(performance.now() - writtenAt < 5_000, `${performance.now() - writtenAt} ms`)
})

test('V3: what the grant command writes arrives, in front of what the server writes next', async () => {
  const ann = await makeSeller(server)
  const socket = await connect(server.url, ann.token)
  await join(socket, ann)
  const printed = await runCli(server, 'grant', '--seller', ann.id, '--credits', '5', '--key', 'cli-1')
  assert.match(printed, 'the balance is 15')
  // No waiting for the look of every second: what the server writes shows it that something is missing in between.
  await socket.ask('start', { livestream_id: ann.livestreamId })
  await socket.event(4)
  assert.equal(
    socket.events.map(({ event }) => event),
    ['credit_update', 'stream_started', 'credit_update'],
  )
  assert.match(await runCli(server, 'grant', '--seller', ann.id, '--credits', '5', '--key', 'cli-1'), 'nothing to do')
})

test('V3: who comes back with after, to a restarted server, misses nothing and has nothing twice', async () => {
  const ann = await makeSeller(server)
  const heard: number[] = []
  for (let round = 0; round < 3; round += 1) {
    const socket = await connect(server.url, ann.token)
    await join(socket, ann, heard.length)
    await socket.ask('start', { livestream_id: ann.livestreamId })
    const writing = [grant(server, ann.id, 1), grant(server, ann.id, 1)]
    await socket.ask('end', { livestream_id: ann.livestreamId })
    await Promise.all(writing)
    await server.restart()
    await until(() => !socket.socket.connected, 'the disconnection')
    heard.push(...seqs(socket.events))
    await second.move(ann.id, 1)
    await grant(server, ann.id, 1)
  }
  const last = await connect(server.url, ann.token)
  const { seq } = await join(last, ann, heard.length)
  heard.push(...seqs(last.events))
  // A grant at first; each round a start (2), its end and four grants.
  assert.is(seq, 1 + 3 * 7)
  assert.equal(heard, range(1, seq))
})

test('V2, V3: a burst of 300 events reaches many sockets in order, whenever they joined', async () => {
  const ann = await makeSeller(server, 1_000)
  const payload = { livestream_id: ann.livestreamId }
  const actor = await connect(server.url, ann.token)
  const sockets: { socket: TestSocket; from: number }[] = []
  const joinOne = async (after?: number): Promise<void> => {
    const socket = await connect(server.url, ann.token)
    const snapshot = await join(socket, ann, after)
    sockets.push({ socket, from: after ?? snapshot.seq })
    // First what was before the snapshot, then the snapshot.
    assert.ok(seqs(socket.events).every((seq) => seq > (after ?? snapshot.seq)))
  }
  for (let count = 0; count < 10; count += 1) await joinOne()
  const burst: Promise<unknown>[] = []
  for (let round = 0; round < 50; round += 1) {
    burst.push(actor.ask('start', payload), actor.ask('ping', payload), actor.ask('end', payload))
    burst.push(grant(server, ann.id, 1), second.move(ann.id, 1), second.move(ann.id, -1))
    if (round % 5 === 0) burst.push(joinOne(), joinOne(0))
  }
  const answers = await Promise.all(burst)
  assert.ok(answers.every((answer) => (answer as { ok?: boolean } | undefined)?.ok !== false))
  const newest = 1 + 50 * 6
  for (const { socket, from } of sockets) {
    await socket.event(newest)
    assert.equal(seqs(socket.events), range(from + 1, newest))
  }
  assert.is(sockets.length, 30)
})

test.run()
