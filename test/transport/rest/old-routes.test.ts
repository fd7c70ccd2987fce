import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS, toTimestamp } from '../../../server/domain/instant.js'
import { OLD_ROUTES } from '../../support/rest-routes.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const server = await startServer()
test.after(() => server.close())

const later = (ms: number) => toTimestamp(server.clock.now() + ms)

// What each route answers on a livestream with 10 credits; `live`: whether it must be live for that.
const answers: { last: string; live: boolean; answer: () => object }[] = [
  {
    last: 'heartbeat',
    live: true,
    answer: () => ({
      message: 'Heartbeat recorded successfully',
      last_activity: later(0),
      remaining_credits: 9,
      credits_consumed: 1,
    }),
  },
  {
    last: 'check_credits',
    live: true,
    answer: () => ({
      message: 'Credits checked successfully',
      livestream_ended: false,
      remaining_credits: 9,
      credits_consumed: 1,
      time_until_next_deduction_minutes: 30,
      credit_deducted: 0,
      total_credits_consumed: 1,
    }),
  },
  {
    last: 'start',
    live: false,
    answer: () => ({
      message: 'Livestream started successfully',
      remaining_credits: 9,
      credits_consumed: 1,
      started_at: later(0),
      next_deduction_at: later(30 * MINUTE_MS),
      credits_run_out_at: later(300 * MINUTE_MS),
    }),
  },
  {
    last: 'end',
    live: true,
    answer: () => ({
      message: 'Livestream ended successfully',
      duration_minutes: 0,
      credits_consumed: 1,
      remaining_credits: 9,
      end_reason: 'seller',
    }),
  },
]

for (const route of OLD_ROUTES.filter(({ ofLivestream }) => ofLivestream)) {
  for (const slash of ['/', '']) {
    const name = route.name.replace(/\/$/, slash)
    test(`H: ${route.method} ${name}`, async () => {
      const { id, token, livestreamId } = await makeSeller(server)
      const expected = answers.find(({ last }) => name.split('/').includes(last))
      assert.ok(expected)
      if (expected.live) await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
      const path = route.path({ livestreamId, sellerId: id }).replace(/\/$/, slash)

      const { status, body } = await server.request(route.method, path, { token })

      assert.is(status, 200)
      const { run_id, ...others } = body
      assert.equal(others, expected.answer())
      // The run is known to whoever starts and ends it.
      assert.is(typeof run_id, ['start', 'end'].includes(expected.last) ? 'number' : 'undefined')
    })
  }
}

for (const path of ['/api/livestreams/credit-monitor/status', '/api/livestreams/livestreams/credit-monitor/status']) {
  for (const slash of ['/', '']) {
    test(`H: GET ${path}${slash} says what the monitor does, and what is live`, async () => {
      const { token, livestreamId } = await makeSeller(server)
      await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })

      const { status, body } = await server.request('GET', `${path}${slash}`, {
        token: server.token('ops', 'operator'),
      })

      assert.is(status, 200)
      assert.is(body.running, true)
      assert.is(body.check_interval_seconds, 1)
      assert.is(body.live_count, body.live.length)
      assert.is(body.live.find(({ id }: { id: string }) => id === livestreamId)?.run.status, 'live')
      await server.request('PATCH', `/api/livestreams/end/${livestreamId}/`, { token })
      const after = await server.request('GET', `${path}${slash}`, { token: server.token('ops', 'operator') })
      assert.is(after.body.live_count, body.live_count - 1)
    })
  }
}

test('H: the status says that the sweep is off', async () => {
  const unswept = await startServer({ SWEEP_INTERVAL: 'off' })
  try {
    const { body } = await unswept.request('GET', '/api/livestreams/credit-monitor/status/', {
      token: unswept.token('ops', 'operator'),
    })
    assert.equal(body, { running: false, check_interval_seconds: null, live_count: 0, live: [] })
  } finally {
    await unswept.close()
  }
})

test('H: start without credits is refused, and opens no run', async () => {
  const { token, livestreamId } = await makeSeller(server, 0)
  const start = await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  assert.is(start.status, 400)
  assert.equal(start.body, { error: 'Insufficient credits to start livestream', code: 'insufficient_credits' })
  const { body } = await server.request('GET', `/api/livestreams/${livestreamId}/`, { token })
  assert.is(body.run, null)
})

test('H, H1, E2: a start of what is live names the run, and charges nothing', async () => {
  const { token, livestreamId } = await makeSeller(server)
  const start = () => server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  const first = await start()
  const second = await start()
  assert.is(second.status, 400)
  assert.equal(second.body, {
    error: 'Livestream is already live',
    code: 'livestream_already_live',
    run_id: first.body.run_id,
  })
  const { body } = await server.request('GET', '/api/credits/', { token })
  assert.is(body.balance, 9)
})

test('H, E2: of 20 starts at once one opens a run, and the others name it', async () => {
  const { token, livestreamId } = await makeSeller(server)
  const starts = await Promise.all(
    Array.from({ length: 20 }, () => server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })),
  )
  assert.equal(starts.map(({ status }) => status).sort(), [200, ...Array(19).fill(400)])
  assert.is(new Set(starts.map(({ body }) => body.run_id)).size, 1)
  const { body } = await server.request('GET', '/api/credits/', { token })
  assert.is(body.balance, 9)
})

const needLive = [
  { method: 'POST', last: 'heartbeat' },
  { method: 'POST', last: 'check_credits' },
  { method: 'PATCH', last: 'end' },
]

for (const { method, last } of needLive) {
  test(`H1: ${last} of what was never live`, async () => {
    const { token, livestreamId } = await makeSeller(server)
    const { status, body } = await server.request(method, `/api/livestreams/${livestreamId}/${last}/`, { token })
    assert.is(status, 400)
    assert.equal(body, { error: 'Livestream is not currently live', code: 'livestream_not_live' })
  })
}

for (const { method, last } of needLive.filter(({ last }) => last !== 'check_credits')) {
  test(`H1, E4: ${last} of what has ended names the run and why it ended`, async () => {
    const { token, livestreamId } = await makeSeller(server)
    const start = await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
    await server.request('PATCH', `/api/livestreams/end/${livestreamId}/`, { token })
    const { status, body } = await server.request(method, `/api/livestreams/${livestreamId}/${last}/`, { token })
    assert.is(status, 400)
    assert.equal(body, {
      error: 'Livestream is not currently live',
      code: 'livestream_not_live',
      run_id: start.body.run_id,
      end_reason: 'seller',
    })
  })
}

for (const route of OLD_ROUTES.filter(({ ofLivestream }) => ofLivestream)) {
  test(`H1: ${route.method} ${route.name} of an unknown livestream`, async () => {
    const { id, token } = await makeSeller(server)
    const path = route.path({ livestreamId: 'no-such', sellerId: id })
    const { status, body } = await server.request(route.method, path, { token })
    assert.is(status, 404)
    assert.equal(body, { error: 'Livestream not found', code: 'livestream_not_found' })
  })
}

test('H: the query string is ignored, but for the time_scale of a start', async () => {
  const { token, livestreamId } = await makeSeller(server)
  const query = `?seller_id=somebody-else&limit=x&__proto__=1&format=%E0%A4%A`
  for (const [method, path] of [
    ['PATCH', `start/${livestreamId}/`],
    ['POST', `${livestreamId}/heartbeat/`],
    ['POST', `${livestreamId}/check_credits/`],
    ['PATCH', `end/${livestreamId}/`],
  ] as const) {
    assert.is((await server.request(method, `/api/livestreams/${path}${query}`, { token })).status, 200, path)
  }
  const operator = server.token('ops', 'operator')
  const status = await server.request('GET', `/api/livestreams/credit-monitor/status/${query}`, { token: operator })
  assert.is(status.status, 200)
})

test('P3: over REST too, time_scale divides the times of a run in development, and is refused elsewhere', async () => {
  const { token, livestreamId } = await makeSeller(server)
  const path = `/api/livestreams/start/${livestreamId}/`
  for (const bad of ['0', '1001', '1.5', '', 'x', '60&time_scale=60']) {
    const { status, body } = await server.request('PATCH', `${path}?time_scale=${bad}`, { token })
    assert.equal([status, body.code, body.field], [422, 'invalid_request', 'time_scale'], bad)
  }
  const { body } = await server.request('PATCH', `${path}?time_scale=60`, { token })
  assert.is(Date.parse(body.next_deduction_at) - Date.parse(body.started_at), 30_000)

  const production = await startServer({ NODE_ENV: 'production' })
  const theirs = await makeSeller(production)
  const startAt = (query: string) =>
    production.request('PATCH', `/api/livestreams/start/${theirs.livestreamId}/${query}`, { token: theirs.token })
  assert.is((await startAt('?time_scale=60')).status, 422)
  assert.is((await startAt('?time_scale=1')).status, 200)
  await production.close()
})

test('H: the duration of a run is in whole minutes, rounded down', async () => {
  const { token, livestreamId } = await makeSeller(server)
  await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  await server.pass(7 * MINUTE_MS + 59_999)
  const { body } = await server.request('PATCH', `/api/livestreams/end/${livestreamId}/`, { token })
  assert.is(body.duration_minutes, 7)
})

test.run()
