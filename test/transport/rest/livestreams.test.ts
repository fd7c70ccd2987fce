import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS, toTimestamp } from '../../../server/domain/instant.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const server = await startServer()
test.after(() => server.close())
const service = server.token('host', 'service')
const operator = server.token('ops', 'operator')

const create = (token: string, body: unknown) => server.request('POST', '/api/livestreams/', { token, body })

test('N: a seller makes a livestream for itself, and the id is made here', async () => {
  const { status, body } = await create(server.token('anna'), { title: '  Pottery  ' })
  assert.is(status, 201)
  const { id, ...others } = body
  assert.match(id, /^[A-Za-z0-9_-]{1,128}$/)
  assert.equal(others, {
    seller_id: 'anna',
    title: 'Pottery',
    created_at: toTimestamp(server.clock.now()),
    run: null,
    connected: false,
  })
})

test('N: a service makes one for any seller, under its own id; the same again answers with what is there', async () => {
  const first = await create(service, { title: 'Chess', id: 'host-17', seller_id: 'ben@example.org' })
  assert.is(first.status, 201)
  assert.is(first.body.id, 'host-17')
  assert.is(first.body.seller_id, 'ben@example.org')
  server.clock.advance(1_000)
  const again = await create(service, { title: 'Chess, renamed', id: 'host-17', seller_id: 'ben@example.org' })
  assert.is(again.status, 200)
  assert.equal(again.body, first.body)
  const other = await create(service, { title: 'Chess', id: 'host-17', seller_id: 'carla' })
  assert.is(other.status, 409)
  assert.is(other.body.code, 'livestream_id_taken')
})

test('N: of 20 at once with one id, one is made', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => create(service, { title: 'T', id: 'host-18', seller_id: 'ben' })),
  )
  assert.equal(answers.map(({ status }) => status).sort(), [...Array(19).fill(200), 201])
})

const ids = ['a', 'A-_9', 'x'.repeat(128), 'START', 'start-', 'heartbeat', 'check_credits', 'status', '0']
for (const id of ids) {
  test(`H: an id can be ${id.slice(0, 20)}, and every route knows it`, async () => {
    const seller = `seller-of-${id.slice(0, 20)}`
    assert.is((await create(service, { title: 'T', id, seller_id: seller })).status, 201)
    await server.request('POST', `/api/sellers/${seller}/credits/`, {
      token: service,
      headers: { 'Idempotency-Key': '1' },
      body: { amount: 3 },
    })
    const token = server.token(seller)
    const requests: [string, string][] = [
      ['PATCH', `start/${id}/`],
      ['POST', `${id}/heartbeat/`],
      ['POST', `${id}/check_credits/`],
      ['GET', `${id}/`],
      ['GET', `${id}/ledger/`],
      ['PATCH', `end/${id}/`],
      ['PATCH', `${id}/start/`],
      ['PATCH', `${id}/end/`],
    ]
    for (const [method, path] of requests) {
      const { status, body } = await server.request(method, `/api/livestreams/${path}`, { token })
      assert.is(status, 200, `${method} ${path}: ${JSON.stringify(body)}`)
    }
  })
}

test('N: a livestream shows its current run, and then its last', async () => {
  const { token, livestreamId, id } = await makeSeller(server, 4)
  const startedAt = server.clock.now()
  const start = await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  await server.pass(10 * MINUTE_MS - 1)
  await server.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token })
  await server.pass(5 * MINUTE_MS)

  const live = await server.request('GET', `/api/livestreams/${livestreamId}/`, { token })
  assert.equal(live.body, {
    id: livestreamId,
    seller_id: id,
    title: live.body.title,
    created_at: live.body.created_at,
    run: {
      run_id: start.body.run_id,
      status: 'live',
      started_at: toTimestamp(startedAt),
      ended_at: null,
      end_reason: null,
      credits_consumed: 1,
      last_activity: toTimestamp(startedAt + 10 * MINUTE_MS - 1),
      next_deduction_at: toTimestamp(startedAt + 30 * MINUTE_MS),
      credits_run_out_at: toTimestamp(startedAt + 120 * MINUTE_MS),
    },
    connected: false,
  })

  await server.request('PATCH', `/api/livestreams/end/${livestreamId}/`, { token })
  const ended = await server.request('GET', `/api/livestreams/${livestreamId}/`, { token })
  assert.equal(ended.body.run, {
    ...live.body.run,
    status: 'ended',
    ended_at: toTimestamp(startedAt + 15 * MINUTE_MS - 1),
    end_reason: 'seller',
    next_deduction_at: null,
    credits_run_out_at: null,
  })
})

test('N: an operator forces an end, and the seller reads why', async () => {
  const { token, livestreamId } = await makeSeller(server, 4)
  const start = await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  const { status, body } = await server.request('POST', `/api/livestreams/${livestreamId}/force_end/`, {
    token: operator,
    body: { reason: 'Complaint 4711' },
  })
  assert.is(status, 200)
  assert.equal(body, {
    message: 'Livestream ended successfully',
    duration_minutes: 0,
    credits_consumed: 1,
    remaining_credits: 3,
    run_id: start.body.run_id,
    end_reason: 'operator',
  })
  const events = await server.request('GET', '/api/events/', { token })
  const { event, reason, message } = events.body.items.at(-1)
  assert.equal([event, reason], ['stream_ended', 'operator'])
  assert.match(message, 'Complaint 4711')
  const again = await server.request('POST', `/api/livestreams/${livestreamId}/force_end/`, { token: operator })
  assert.is(again.status, 400)
  assert.equal([again.body.code, again.body.end_reason], ['livestream_not_live', 'operator'])
})

test('N: lists are a page at a time, of one seller, and of what is live', async () => {
  for (let n = 1; n <= 7; n++) await create(service, { title: `No. ${n}`, id: `list-${n}`, seller_id: 'dora' })
  await server.request('POST', '/api/sellers/dora/credits/', {
    token: service,
    headers: { 'Idempotency-Key': '1' },
    body: { amount: 10 },
  })
  const token = server.token('dora')
  for (const n of [2, 5]) await server.request('PATCH', `/api/livestreams/start/list-${n}/`, { token })

  const pages: string[][] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { body } = await server.request('GET', `/api/livestreams/?limit=3&cursor=${cursor}`, { token })
    pages.push(body.items.map(({ id }: { id: string }) => id))
    cursor = body.next_cursor
  }
  assert.equal(pages, [['list-1', 'list-2', 'list-3'], ['list-4', 'list-5', 'list-6'], ['list-7']])

  const all = await server.request('GET', '/api/livestreams/?seller_id=dora', { token: service })
  assert.equal(all.body.items, (await server.request('GET', '/api/livestreams/', { token })).body.items)
  const live = await server.request('GET', '/api/livestreams/?status=live&seller_id=dora', { token: operator })
  assert.equal(
    live.body.items.map(({ id }: { id: string }) => id),
    ['list-2', 'list-5'],
  )
  assert.is(live.body.next_cursor, null)
  const one = await server.request('GET', '/api/livestreams/list-5/', { token })
  assert.equal(live.body.items[1], one.body, 'a list shows each as it shows itself')
  const everybody = await server.request('GET', '/api/livestreams/?limit=1000', { token: operator })
  assert.ok(new Set(everybody.body.items.map((item: { seller_id: string }) => item.seller_id)).size > 1)
})

test('N: a list of an unknown seller is empty', async () => {
  const { body } = await server.request('GET', '/api/livestreams/?seller_id=nobody', { token: service })
  assert.equal(body, { items: [], next_cursor: null })
})

test.run()
