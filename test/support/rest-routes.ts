/** Which livestream and which seller a route is asked about. */
export interface RouteIds {
  readonly livestreamId: string
  readonly sellerId: string
}

/** A route of SPEC.md's sections H and N, with a request that fits it. */
export interface Route {
  readonly rule: 'H' | 'N'
  readonly method: string
  /** As the specification writes it: the table's name for it. */
  readonly name: string
  path(ids: RouteIds): string
  body?(ids: RouteIds): unknown
  /** Whether the path names a livestream. */
  readonly ofLivestream?: true
}

const ACTIONS = [
  { method: 'POST', path: '{id}/heartbeat/' },
  { method: 'POST', path: '{id}/check_credits/' },
  { method: 'PATCH', path: 'start/{id}/' },
  { method: 'PATCH', path: '{id}/start/' },
  { method: 'PATCH', path: 'end/{id}/' },
  { method: 'PATCH', path: '{id}/end/' },
]

function ofLivestream(rule: Route['rule'], method: string, name: string): Route {
  return { rule, method, name, path: ({ livestreamId }) => name.replace('{id}', livestreamId), ofLivestream: true }
}

/** The routes that old pages call, each in every form that H promises: both orders, both prefixes. */
export const OLD_ROUTES: readonly Route[] = ['/api/livestreams/', '/api/livestreams/livestreams/'].flatMap((prefix) => [
  ...ACTIONS.map(({ method, path }) => ofLivestream('H', method, prefix + path)),
  { rule: 'H', method: 'GET', name: `${prefix}credit-monitor/status/`, path: () => `${prefix}credit-monitor/status/` },
])

export const NEW_ROUTES: readonly Route[] = [
  {
    rule: 'N',
    method: 'POST',
    name: '/api/livestreams/',
    path: () => '/api/livestreams/',
    body: ({ sellerId }) => ({ title: 'A new one', seller_id: sellerId }),
  },
  {
    rule: 'N',
    method: 'GET',
    name: '/api/livestreams/?seller_id={seller}',
    path: ({ sellerId }) => `/api/livestreams/?seller_id=${sellerId}`,
  },
  ofLivestream('N', 'GET', '/api/livestreams/{id}/'),
  ofLivestream('N', 'GET', '/api/livestreams/{id}/snapshot/'),
  ofLivestream('N', 'GET', '/api/livestreams/{id}/ledger/'),
  {
    rule: 'N',
    method: 'GET',
    name: '/api/credits/?seller_id={seller}',
    path: ({ sellerId }) => `/api/credits/?seller_id=${sellerId}`,
  },
  {
    rule: 'N',
    method: 'GET',
    name: '/api/credits/ledger/?seller_id={seller}',
    path: ({ sellerId }) => `/api/credits/ledger/?seller_id=${sellerId}`,
  },
  { rule: 'N', method: 'GET', name: '/api/events/', path: () => '/api/events/' },
  {
    rule: 'N',
    method: 'POST',
    name: '/api/sellers/{seller}/credits/',
    path: ({ sellerId }) => `/api/sellers/${sellerId}/credits/`,
    body: () => ({ amount: 3 }),
  },
  ofLivestream('N', 'POST', '/api/livestreams/{id}/force_end/'),
]

export const ALL_ROUTES: readonly Route[] = [...OLD_ROUTES, ...NEW_ROUTES]
