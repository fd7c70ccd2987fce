import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { OLD_ROUTES } from '../../support/rest-routes.js'
import { makeSeller, type TestSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

const server = await startServer()
test.after(() => server.close())

const ASKERS = ['the seller', 'another seller', 'a service', 'an operator', 'a service with the seller as sub'] as const
type Asker = (typeof ASKERS)[number]

const stranger = await makeSeller(server)

function tokenOf(asker: Asker, seller: TestSeller): string {
  if (asker === 'the seller') return seller.token
  if (asker === 'another seller') return stranger.token
  if (asker === 'a service') return server.token('host', 'service')
  if (asker === 'an operator') return server.token('ops', 'operator')
  return server.token(seller.id, 'service')
}

type Statuses = Record<Asker, number>
const ownOnly: Statuses = {
  'the seller': 200,
  'another seller': 403,
  'a service': 403,
  'an operator': 403,
  'a service with the seller as sub': 403,
}
const ownOrAny: Statuses = {
  ...ownOnly,
  'a service': 200,
  'an operator': 200,
  'a service with the seller as sub': 200,
}
const operators: Statuses = { ...ownOnly, 'the seller': 403, 'an operator': 200 }

interface Case {
  readonly rule: string
  readonly method: string
  readonly path: (seller: TestSeller) => string
  readonly body?: (seller: TestSeller) => unknown
  readonly statuses: Statuses
}

const newRoutes: Case[] = [
  {
    rule: 'N',
    method: 'POST',
    path: () => '/api/livestreams/',
    body: () => ({ title: 'Mine' }),
    // A service names the seller (422 without).
    statuses: {
      ...ownOnly,
      'another seller': 201,
      'the seller': 201,
      'a service': 422,
      'a service with the seller as sub': 422,
    },
  },
  {
    rule: 'N',
    method: 'POST',
    path: () => '/api/livestreams/',
    body: ({ id }) => ({ title: "The seller's", seller_id: id }),
    statuses: { ...ownOnly, 'the seller': 201, 'a service': 201, 'a service with the seller as sub': 201 },
  },
  { rule: 'N', method: 'GET', path: () => '/api/livestreams/', statuses: { ...ownOrAny, 'another seller': 200 } },
  { rule: 'N', method: 'GET', path: ({ id }) => `/api/livestreams/?seller_id=${id}`, statuses: ownOrAny },
  { rule: 'N', method: 'GET', path: ({ id }) => `/api/livestreams/?status=live&seller_id=${id}`, statuses: ownOrAny },
  { rule: 'N', method: 'GET', path: ({ livestreamId }) => `/api/livestreams/${livestreamId}/`, statuses: ownOrAny },
  {
    rule: 'N',
    method: 'GET',
    path: ({ livestreamId }) => `/api/livestreams/${livestreamId}/ledger/`,
    statuses: ownOrAny,
  },
  {
    rule: 'N',
    method: 'GET',
    path: ({ livestreamId }) => `/api/livestreams/${livestreamId}/snapshot/`,
    statuses: ownOnly,
  },
  { rule: 'N', method: 'GET', path: ({ id }) => `/api/credits/?seller_id=${id}`, statuses: ownOrAny },
  { rule: 'N', method: 'GET', path: ({ id }) => `/api/credits/ledger/?seller_id=${id}`, statuses: ownOrAny },
  ...['/api/credits/', '/api/credits/ledger/'].map((path) => ({
    rule: 'N',
    method: 'GET',
    path: () => path,
    statuses: {
      'the seller': 200,
      'another seller': 200,
      'a service': 422,
      'an operator': 422,
      'a service with the seller as sub': 422,
    },
  })),
  { rule: 'N', method: 'GET', path: () => '/api/events/', statuses: { ...ownOnly, 'another seller': 200 } },
  {
    rule: 'N',
    method: 'POST',
    path: ({ id }) => `/api/sellers/${id}/credits/`,
    body: () => ({ amount: 5 }),
    statuses: {
      ...ownOnly,
      'the seller': 403,
      'a service': 201,
      'an operator': 201,
      'a service with the seller as sub': 201,
    },
  },
  {
    rule: 'N, E1',
    method: 'POST',
    path: ({ livestreamId }) => `/api/livestreams/${livestreamId}/force_end/`,
    statuses: operators,
  },
]

const oldRoutes: Case[] = OLD_ROUTES.map(({ method, path, ofLivestream }) => ({
  rule: 'H, E1',
  method,
  path: ({ id, livestreamId }) => path({ sellerId: id, livestreamId }),
  statuses: ofLivestream ? ownOnly : operators,
}))

for (const { rule, method, path, body, statuses } of [...oldRoutes, ...newRoutes]) {
  const name = `${method} ${path({ id: '{seller}', livestreamId: '{id}', token: '' })}`
  test(`${rule}: who may ${name}${body ? ` ${JSON.stringify(body({ id: '{seller}', livestreamId: '', token: '' }))}` : ''}`, async () => {
    for (const asker of ASKERS) {
      const seller = await makeSeller(server)
      const isStart = path(seller).includes('start')
      if (!isStart) {
        const start = `/api/livestreams/start/${seller.livestreamId}/`
        await server.request('PATCH', start, { token: seller.token })
      }
      const answer = await server.request(method, path(seller), {
        token: tokenOf(asker, seller),
        headers: { 'Idempotency-Key': 'once' },
        ...(body ? { body: body(seller) } : {}),
      })
      assert.is(answer.status, statuses[asker], `${asker}: ${JSON.stringify(answer.body)}`)
      if (answer.status === 403) assert.equal(answer.body, { error: 'Permission denied', code: 'permission_denied' })

      if (answer.status !== 403) continue
      const { balance, runs } = (await server.request('GET', '/api/credits/', { token: seller.token })).body
      assert.is(balance, isStart ? 10 : 9, `${asker} changed nothing`)
      assert.is(runs.length, isStart ? 0 : 1, `${asker} changed nothing`)
    }
  })
}

test.run()
