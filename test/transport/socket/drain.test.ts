import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ServerDraining } from '../../../client-sdk/protocol/index.js'
import { databaseFacts } from '../../support/database-facts.js'
import { rawRequest } from '../../support/raw-request.js'
import { CLI } from '../../support/second-process.js'
import { makeSeller, type TestSeller } from '../../support/sellers.js'
import { startServer, TEST_SECRET, type TestServer } from '../../support/server.js'
import {
  connect,
  disconnectAll,
  disconnection,
  type SocketAnswer,
  type TestSocket,
  until,
} from '../../support/sockets.js'

test.after(disconnectAll)

/** Holds the database so that whatever writes has to wait, until `meanwhile` is done. */
async function whileLocked({ database }: TestServer, meanwhile: () => Promise<void>): Promise<void> {
  await database.db.connection().execute(async (connection) => {
    await sql`begin immediate`.execute(connection)
    try {
      await meanwhile()
    } finally {
      await sql`rollback`.execute(connection)
    }
  })
}

async function sellerOn(server: TestServer, transport: string): Promise<{ seller: TestSeller; socket: TestSocket }> {
  const seller = await makeSeller(server)
  const socket = await connect(server.url, seller.token, { transports: [transport] })
  await socket.ask('subscribe', { livestream_id: seller.livestreamId })
  return { seller, socket }
}

for (const transport of ['websocket', 'polling']) {
  test(`P3, A6: a graceful stop answers all that is under way before it disconnects (${transport})`, async () => {
    const server = await startServer()
    const { seller, socket } = await sellerOn(server, transport)
    const payload = { livestream_id: seller.livestreamId }
    await socket.ask('start', payload)
    const heard = socket.events.length
    const gone = disconnection(socket.socket)
    const answers: Promise<SocketAnswer>[] = []
    let stopped: Promise<void> = Promise.resolve()
    await whileLocked(server, async () => {
      for (let count = 0; count < 100; count += 1) answers.push(socket.ask('ping', payload))
      answers.push(socket.ask('end', payload), socket.ask('start', payload))
      // Asked last and answered first, so the server has them all.
      assert.is((await socket.ask('nonsense')).code, 'unknown_event')
      stopped = server.app.stop()
      await until(() => socket.log.includes('server_draining'), 'server_draining')
      assert.ok(socket.socket.connected)

      // What comes from now on is refused at once, and nobody new is let in.
      assert.is((await socket.ask('ping', payload)).code, 'server_draining')
      const { status, text } = await rawRequest(server.url, {
        method: 'GET',
        path: '/socket.io/?EIO=4&transport=polling',
      })
      assert.equal([status, JSON.parse(text).message], [403, 'server_draining'])
    })
    // Not `io server disconnect`, after which a client would not come back by itself.
    assert.is(await gone, 'transport close')
    await stopped
    assert.ok((await Promise.all(answers)).every(({ ok }) => ok === true))
    assert.equal(
      socket.events.slice(heard).map(({ event }) => event),
      ['stream_ended', 'stream_started', 'credit_update'],
    )
    await server.close()
  })
}

test('P3: the clients of a server that stops come back spread out', async () => {
  const server = await startServer()
  const notices: ServerDraining[] = []
  const { id } = await makeSeller(server)
  for (let count = 0; count < 40; count += 1) {
    const { socket } = await connect(server.url, server.token(id))
    socket.on('server_draining', (notice) => notices.push(notice))
  }
  await server.close()
  await until(() => notices.length === 40, '40 notices')
  for (const notice of notices) assert.equal(Object.keys(notice), ['reconnect_after_ms'])
  const delays = notices.map(({ reconnect_after_ms }) => reconnect_after_ms)
  assert.ok(delays.every((delay) => Number.isInteger(delay) && delay >= 500 && delay <= 5_500))
  assert.ok(Math.max(...delays) - Math.min(...delays) > 2_000, `${delays}`)
  assert.ok(new Set(delays).size > 30)
})

test('P3: a stop is not held up by a client that never stops asking', async () => {
  const server = await startServer()
  const { seller, socket } = await sellerOn(server, 'websocket')
  const payload = { livestream_id: seller.livestreamId }
  await socket.ask('start', payload)
  let answered = 0
  const again = (): void => {
    answered += 1
    socket.socket.emit('ping', payload, again)
  }
  for (let count = 0; count < 50; count += 1) again()
  await until(() => answered > 500, '500 answers')
  const since = performance.now()
  await server.close()
  assert.ok(performance.now() - since < 5_000, `${performance.now() - since} ms`)
})

test('A5, V3: a seller on another server is not shown as connected once that server has stopped', async () => {
  const server = await startServer()
  const { seller } = await sellerOn(server, 'websocket')
  const connected = async (): Promise<unknown> =>
    (await server.request('GET', `/api/livestreams/${seller.livestreamId}/`, { token: seller.token })).body.connected
  const written = async () => (await sql`select * from connections`.execute(server.database.db)).rows.length
  assert.is(await connected(), true)
  // As if another server stamped: it is written for that one.
  await server.pass(1)
  await until(async () => (await written()) === 1, 'the connection in the database')
  const before = await databaseFacts(server.database)
  await server.restart()
  assert.is(await connected(), false)
  assert.is(await written(), 0)
  assert.equal(await databaseFacts(server.database), before)
  await server.close()
})

test('P1: a stop waits for no client that began to poll and went away', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-test-'))
  const child = spawn(process.execPath, [CLI, 'serve'], {
    env: { ...process.env, PORT: '0', DATABASE_URL: `sqlite:${join(folder, 'x.db')}`, JWT_SECRET: TEST_SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const url = await listeningUrl(child)
    await fetch(`${url}/socket.io/?EIO=4&transport=polling`)
    // After 5 s it is closed, and it would have 30 s to come for the news.
    await sleep(5_500)
    const since = performance.now()
    child.kill('SIGTERM')
    const [code] = await once(child, 'exit')
    assert.is(code, 0)
    assert.ok(performance.now() - since < 20_000, `${performance.now() - since} ms`)
  } finally {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})

function listeningUrl({ stdout }: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (!stdout) return reject(new Error('the server has no output'))
    createInterface({ input: stdout }).on('line', (line) => {
      const found = /listening on (http:\S+?)"/.exec(line)
      if (found?.[1]) resolve(found[1])
    })
  })
}

test.run()
