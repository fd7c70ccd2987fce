import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { io, type Socket } from 'socket.io-client'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS } from '../../../server/domain/instant.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const told = (socket: Socket, event: string) => new Promise<unknown>((resolve) => socket.once(event, resolve))

test('N: healthz, readyz and metrics need no token', async () => {
  const server = await startServer()
  try {
    const health = await server.request('GET', '/healthz')
    assert.equal([health.status, health.body], [200, { status: 'alive' }])
    const ready = await server.request('GET', '/readyz')
    assert.equal([ready.status, ready.body], [200, { status: 'ready' }])
    const metrics = await server.request('GET', '/metrics')
    assert.is(metrics.status, 200)
    assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=/)
  } finally {
    await server.close()
  }
})

test('N: the metrics count what was done', async () => {
  const server = await startServer()
  try {
    const { token, livestreamId, id } = await makeSeller(server, 5)
    const other = await makeSeller(server, 5)
    for (const seller of [{ token, livestreamId }, other]) {
      await server.request('PATCH', `/api/livestreams/start/${seller.livestreamId}/`, seller)
    }
    await server.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token })
    await server.request('POST', `/api/sellers/${id}/credits/`, {
      token: server.token('host', 'service'),
      headers: { 'Idempotency-Key': 'take' },
      body: { amount: -3 },
    })
    await server.pass(10 * MINUTE_MS)
    await server.request('PATCH', `/api/livestreams/end/${livestreamId}/`, { token })

    const { body } = await server.request('GET', '/metrics')

    const lines = String(body).split('\n')
    for (const line of [
      'tallylight_streams_started_total 2',
      'tallylight_streams_ended_total{reason="seller"} 1',
      'tallylight_streams_ended_total{reason="inactivity"} 0',
      'tallylight_credits_total{kind="grant"} 10',
      'tallylight_credits_total{kind="deduction"} 2',
      'tallylight_credits_total{kind="adjustment"} 3',
      'tallylight_heartbeats_total 1',
      'tallylight_warnings_total{kind="inactivity_warning"} 2',
      'tallylight_live_runs 1',
      'tallylight_sockets 0',
    ]) {
      assert.ok(lines.includes(line), line)
    }
  } finally {
    await server.close()
  }
})

test('N: a server whose database lacks a migration is alive, and not ready', async () => {
  const server = await startServer()
  try {
    const { rows } = await sql<{ name: string; timestamp: string }>`
      delete from schema_migrations returning name, timestamp`.execute(server.database.db)
    const ready = await server.request('GET', '/readyz')
    assert.is(ready.status, 503)
    assert.is(ready.body.status, 'not_ready')
    assert.match(ready.body.reason, '0001-initial')
    assert.is((await server.request('GET', '/healthz')).status, 200)
    for (const { name, timestamp } of rows) {
      await sql`insert into schema_migrations (name, timestamp) values (${name}, ${timestamp})`.execute(
        server.database.db,
      )
    }
    assert.is((await server.request('GET', '/readyz')).status, 200)
  } finally {
    await server.close()
  }
})

test('N: a server that drains is alive, not ready, and finishes what was asked', async () => {
  const server = await startServer()
  let release = () => {}
  try {
    const { token, livestreamId } = await makeSeller(server)
    await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
    const socket = io(server.url, { auth: { token }, transports: ['websocket'], reconnection: false })
    await told(socket, 'connect')
    // Another process writes, so the ping has to wait, and the server with it.
    const writing = new Promise<void>((begun) => {
      void server.database.db.transaction().execute(() => {
        begun()
        return new Promise<void>((resolve) => {
          release = resolve
        })
      })
    })
    await writing
    const answered = socket.emitWithAck('ping', { livestream_id: livestreamId })
    // Until it has arrived there.
    await sleep(200)

    const draining = told(socket, 'server_draining')
    const stopped = server.app.stop()
    await draining

    const ready = await server.request('GET', '/readyz')
    assert.equal([ready.status, ready.body], [503, { status: 'not_ready', reason: 'draining' }])
    assert.is((await server.request('GET', '/healthz')).status, 200)
    release()
    assert.is((await answered).ok, true)
    await stopped
    await server.restart()
    assert.is((await server.request('GET', '/readyz')).status, 200)
  } finally {
    release()
    await server.close()
  }
})

test('N: what is not there is told so, outside of /api without a token', async () => {
  const server = await startServer()
  try {
    for (const [method, path] of [
      ['GET', '/no-such'],
      ['POST', '/healthz'],
    ] as const) {
      const { status, body } = await server.request(method, path)
      assert.equal([status, body.code], [404, 'route_not_found'], path)
    }
  } finally {
    await server.close()
  }
})

test.run()
