import jwt from 'jsonwebtoken'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { MeterError } from '../../client-sdk/src/index.js'
import { type CommandFolder, commandFolder, type Served, serve } from '../support/command.js'
import { TEST_SECRET } from '../support/server.js'
import { until, watchedMeter } from './watched-meter.js'

// On a server whose clock runs: a token's expiry goes by the wall clock (P2).

let folder: CommandFolder
let server: Served
const token = (sub: string, role: string, seconds: number) =>
  jwt.sign({ sub, role, jti: String(Math.random()) }, TEST_SECRET, { expiresIn: seconds })

async function post(path: string, body: object): Promise<void> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token('host', 'service', 60)}`, 'idempotency-key': 'k' },
    body: JSON.stringify(body),
  })
  assert.ok(response.ok, await response.clone().text())
}

async function makeSeller(id: string): Promise<{ livestreamId: string; token: string }> {
  await post('/api/livestreams/', { title: id, id: `of-${id}`, seller_id: id })
  await post(`/api/sellers/${id}/credits/`, { amount: 9 })
  return { livestreamId: `of-${id}`, token: '' }
}

test.before(async () => {
  folder = commandFolder()
  server = await serve(folder)
})
test.after(async () => {
  await server.stop()
  folder.remove()
})

test('P2: getToken is asked before the token expires, and the open connection goes on with the new one', async () => {
  const seller = await makeSeller('ann')
  let calls = 0
  const { meter, states, errors } = watchedMeter(server.url, seller, {
    getToken: () => {
      calls += 1
      return token('ann', 'seller', 2)
    },
  })
  await meter.start()
  await until(() => calls >= 4, 'it is renewed again and again')
  assert.equal(states, ['connecting', 'idle', 'live'], 'and never disconnected')
  assert.equal(errors, [])
  await meter.end()
  meter.destroy()
})

test('P2: where it fails to be renewed, the next connection asks for another, and nothing is missed', async () => {
  const seller = await makeSeller('bob')
  let calls = 0
  const { meter, states, errors, events } = watchedMeter(server.url, seller, {
    getToken: () => {
      calls += 1
      if (calls === 2) throw new Error('out of order')
      return token('bob', 'seller', calls === 1 ? 2 : 60)
    },
  })
  await meter.start()
  await until(() => states.includes('reconnecting'), 'the connection ends with its token')
  await until(() => meter.state === 'live', 'and it is back')
  assert.is(errors[0]?.code, 'get_token_failed')
  assert.is(new Set(events).size, events.length)
  assert.is(meter.snapshot.error, null)
  meter.destroy()
})

test('P2: a page that gives the same token again and again ends as unauthorized, without a storm', async () => {
  const seller = await makeSeller('eve')
  let calls = 0
  const same = token('eve', 'seller', 2)
  const { meter, errors } = watchedMeter(server.url, seller, {
    getToken: () => {
      calls += 1
      return same
    },
  })
  await meter.start()
  await until(() => meter.state === 'unauthorized', 'it is refused')
  assert.equal(
    errors.map(({ code }: MeterError) => code),
    ['get_token_failed', 'token_expired'],
  )
  assert.ok(calls <= 4, `${calls} calls`)
  assert.is(meter.snapshot.run?.status, 'live', 'the run itself goes on')
  meter.destroy()
})

test('P2: another seller at the renewal is told, and refused with the next connection', async () => {
  const seller = await makeSeller('ida')
  let calls = 0
  const { meter, errors } = watchedMeter(server.url, seller, {
    getToken: () => {
      calls += 1
      return calls === 1 ? token('ida', 'seller', 2) : token('ken', 'seller', 60)
    },
  })
  await meter.start()
  await until(() => meter.state === 'unauthorized', 'it is refused')
  assert.equal(
    errors.map(({ code }: MeterError) => code),
    ['identity_changed', 'permission_denied'],
  )
  meter.destroy()
})

test.run()
