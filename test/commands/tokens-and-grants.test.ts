import { setTimeout as sleep } from 'node:timers/promises'
import jwt from 'jsonwebtoken'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Role } from '../../client-sdk/protocol/index.js'
import { openDatabase } from '../../server/store/database.js'
import { commandFolder, run, serve } from '../support/command.js'
import { type Answer, TEST_SECRET } from '../support/server.js'

const folder = commandFolder({ LOG_LEVEL: 'info' })
const server = await serve(folder)
test.after(async () => {
  await server.stop()
  folder.remove()
})

async function tokenFor(...args: string[]): Promise<string> {
  const { code, out, err } = await run(folder, ['token', ...args])
  assert.equal([code, err], [0, ''])
  assert.match(out, /^\S+\n$/, 'the token alone, so that it can be put into a variable')
  return out.trim()
}

function signed(sub: string, role: Role = 'seller'): string {
  return jwt.sign({ sub, role }, TEST_SECRET, { expiresIn: '1h' })
}

async function request(
  path: string,
  token: string,
  init: RequestInit = {},
  url = server.url,
): Promise<Pick<Answer, 'status' | 'body'>> {
  const headers = { ...init.headers, authorization: `Bearer ${token}` }
  const response = await fetch(`${url}${path}`, { ...init, headers })
  return { status: response.status, body: await response.json() }
}

const grantArgs = (seller: string, credits: number, key: string, ...more: string[]) => {
  return ['grant', '--seller', seller, '--credits', String(credits), '--key', key, ...more]
}

test('C: a token for each role is good for what its role may do, on a running server', async () => {
  const [seller, byDefault, service, operator] = await Promise.all([
    tokenFor('--seller', 'anna', '--role', 'seller'),
    tokenFor('--seller', 'anna'),
    tokenFor('--seller', 'host', '--role', 'service', '--ttl', '90s'),
    tokenFor('--seller', 'ops', '--role', 'operator', '--ttl', '1.5h'),
  ])
  const statusOf = async (path: string, token: string) => (await request(path, token)).status
  const monitor = '/api/livestreams/credit-monitor/status/'
  const credits = '/api/credits/?seller_id=anna'
  for (const token of [seller, byDefault]) {
    assert.equal([await statusOf(credits, token), await statusOf(monitor, token)], [200, 403])
  }
  assert.equal([await statusOf(credits, service), await statusOf(monitor, service)], [200, 403])
  assert.equal([await statusOf(credits, operator), await statusOf(monitor, operator)], [200, 200])
})

test('C: a token is good for an hour, or as long as --ttl says', async () => {
  const lifeOf = (token: string) => {
    const { iat, exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return exp - iat
  }
  const [anHour, short] = await Promise.all([tokenFor('--seller', 'anna'), tokenFor('--seller', 'anna', '--ttl', '1s')])
  assert.ok(lifeOf(anHour) >= 3_600 && lifeOf(anHour) <= 3_601)
  assert.is((await request('/api/credits/', short)).status, 200)
  await sleep(2_000)
  const { status, body } = await request('/api/credits/', short)
  assert.equal([status, body.code], [401, 'token_expired'])
})

test('C: without JWT_SECRET, server and command share the secret of development', async () => {
  const own = commandFolder({ JWT_SECRET: '' })
  try {
    const [first, second] = await Promise.all([
      run(own, ['token', '--seller', 'a']),
      run(own, ['token', '--seller', 'a']),
    ])
    const other = await serve(own)
    for (const { out } of [first, second]) {
      assert.is((await request('/api/credits/', out.trim(), {}, other.url)).status, 200)
    }
    await other.stop()
  } finally {
    own.remove()
  }
})

test('C: a token cannot be made where only a public key is known', async () => {
  const { code, out, err } = await run(folder, ['token', '--seller', 'a'], {
    JWT_SECRET: '',
    JWT_JWKS_URL: 'https://id.example/jwks.json',
  })
  assert.equal([code, out, err], [1, '', 'tallylight: Signing a token needs JWT_SECRET\n'])
})

test('C, V1: a grant beside a running server is in the seller’s account and events', async () => {
  const token = signed('ben')
  const { code, out, err } = await run(folder, grantArgs('ben', 12, 'order-1', '--reason', 'Order 1'))
  assert.equal([code, out, err], [0, 'granted 12 credits to ben: the balance is 12\n', ''])
  assert.is((await request('/api/credits/', token)).body.balance, 12)
  const { body } = await request('/api/events/', token)
  assert.is(body.seq, 1)
  const [{ event, change, kind, remaining_credits }] = body.items
  assert.equal([event, change, kind, remaining_credits], ['credit_update', 12, 'grant', 12])
  const ledger = await request('/api/credits/ledger/', token)
  assert.is(ledger.body.items[0].reason, 'Order 1')
})

test('C, B8: granting again with the same key changes nothing, with other credits it is refused', async () => {
  await run(folder, grantArgs('carla', 1, 'k'))
  const again = await run(folder, grantArgs('carla', 1, 'k'))
  assert.equal(
    [again.code, again.out],
    [0, 'nothing to do: this key granted 1 credit to carla before, the balance was then 1\n'],
  )
  const other = await run(folder, grantArgs('carla', 2, 'k'))
  assert.equal([other.code, other.out], [1, ''])
  assert.match(other.err, /^tallylight: This Idempotency-Key was used for another request; take a new one\n$/)
  const rest = await request('/api/sellers/carla/credits/', signed('host', 'service'), {
    method: 'POST',
    headers: { 'Idempotency-Key': 'k' },
    body: '{"amount":1}',
  })
  assert.equal([rest.status, rest.body.balance], [200, 1], 'over REST it is the same key')
})

test('C, B8: of four grants at once with one key one grants', async () => {
  const all = await Promise.all(Array.from({ length: 4 }, () => run(folder, grantArgs('dora', 5, 'k'))))
  assert.equal(
    all.map(({ code, err }) => [code, err]),
    all.map(() => [0, '']),
  )
  assert.equal(all.map(({ out }) => out.split(' ')[0]).sort(), ['granted', 'nothing', 'nothing', 'nothing'])
})

test('C: a command waits for a process that writes', async () => {
  const own = commandFolder()
  const database = openDatabase({ kind: 'sqlite', file: own.file })
  try {
    const granting = database.db.transaction().execute(() => sleep(1_500))
    const { code, out, err } = await run(own, grantArgs('a', 3, 'k'))
    await granting
    assert.equal([code, out, err], [0, 'granted 3 credits to a: the balance is 3\n', ''])
  } finally {
    await database.close()
    own.remove()
  }
})

test('C: a grant needs no server, and makes the database', async () => {
  const own = commandFolder()
  try {
    const { code, out } = await run(own, grantArgs('a', 3, 'k'))
    assert.equal([code, out], [0, 'granted 3 credits to a: the balance is 3\n'])
    const audit = await run(own, ['audit'])
    assert.is(audit.code, 0, audit.out)
    const tooMuch = await run(own, grantArgs('a', Number.MAX_SAFE_INTEGER, 'k2'))
    assert.equal([tooMuch.code, tooMuch.out], [1, ''])
    assert.match(tooMuch.err, /^tallylight: An account holds at most 9007199254740991 credits\n$/)
  } finally {
    own.remove()
  }
})

test.run()
