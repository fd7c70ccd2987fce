import type { BareRoute } from './express-server.js'
import type { Measured } from './heartbeat-client.js'
import { startLive } from './live-server.js'
import { load } from './load.js'
import { median, saveResult, type Target } from './result.js'
import { type BenchServer, send, startExpress } from './servers.js'

// The REST routes that read, beside bare Express with the same token check and one indexed read, which answers the same.
// Both are up, and are measured in turn, route by route and round by round.
//   npm run bench:routes [-- SECONDS ROUNDS]

const CLIENTS = 500
/** Sellers take turns, for none may ask more than 600 times a minute. */
const SELLERS = 4 * CLIENTS
const [seconds = 1.5, rounds = 3] = process.argv.slice(2).map(Number)

const ROUTES = [
  { name: 'check_credits', request: 'POST /api/livestreams/:id/check_credits/' },
  { name: 'account', request: 'GET /api/credits' },
  { name: 'ledger', request: 'GET /api/credits/ledger' },
  { name: 'events', request: 'GET /api/events' },
  { name: 'livestream', request: 'GET /api/livestreams/:id' },
  { name: 'snapshot', request: 'GET /api/livestreams/:id/snapshot' },
] as const
type Route = (typeof ROUTES)[number]

const { server: ours, sellers, file } = await startLive(SELLERS)
const open: BenchServer[] = [ours]
const turns = new Map(ROUTES.map((route) => [route, { ours: [] as Measured[], bare: [] as Measured[] }]))
try {
  const bare = await startExpress(file, await Promise.all(ROUTES.map(asBareRoute)))
  open.push(bare)
  let from = 0
  for (let round = 1; round <= rounds; round += 1) {
    for (const [route, own] of turns) {
      own.ours.push(await turn(ours, route, from))
      own.bare.push(await turn(bare, route, from))
      from = (from + CLIENTS) % SELLERS
      console.log(`round ${round} of ${rounds}: ${rowOf(route, own.ours.slice(-1), own.bare.slice(-1)).join('  ')}`)
    }
  }
} finally {
  await Promise.all(open.map((server) => server.stop()))
}

/** What Express needs to answer a route as ours answers the first seller. */
async function asBareRoute({ request }: Route): Promise<BareRoute> {
  const [method = '', path = ''] = request.split(' ')
  const { token, livestreamId } = sellers[0] ?? { token: '', livestreamId: '' }
  const response = await send(ours.url, method, path.replace(':id', livestreamId), token)
  return { method: method === 'POST' ? 'post' : 'get', path, answer: (await response.json()) as object }
}

function turn({ url, pid }: BenchServer, { request }: Route, from: number): Promise<Measured> {
  return load({
    kind: 'http',
    url,
    pid,
    sellers: sellers.slice(from, from + CLIENTS),
    seconds,
    perSecond: null,
    request,
  })
}

function rowOf({ request }: Route, own: readonly Measured[], bare: readonly Measured[]): string[] {
  const middle = (turns: readonly Measured[], of: (one: Measured) => number): number => median(turns.map(of))
  const speed = (turns: readonly Measured[]) =>
    Math.round(middle(turns, ({ perSecond }) => perSecond)).toLocaleString('en')
  const cpu = (turns: readonly Measured[]) =>
    turns.every(({ cpuMicros }) => cpuMicros !== null)
      ? `${middle(turns, ({ cpuMicros }) => cpuMicros ?? 0).toFixed(0)} µs`
      : 'not told'
  return [request, speed(own), speed(bare), cpu(own), cpu(bare)]
}

const targets = ROUTES.map((route): Target => {
  const { ours: own, bare } = turns.get(route) ?? { ours: [], bare: [] }
  return {
    what: `REST, ${route.request}, over bare Express with the same token check and one indexed read: requests a second`,
    bound: 'at least',
    goal: 0.9,
    measured: own.map(({ perSecond }, i) => Number((perSecond / (bare[i]?.perSecond ?? Number.NaN)).toFixed(3))),
  }
})
for (const { what, measured } of targets) console.log(`${what}: ${median(measured).toFixed(2)} (at least 0.9)`)
saveResult('routes', {
  title: 'REST routes that read',
  command: 'npm run bench:routes',
  about:
    `${CLIENTS} clients that write raw bytes, each with one request under way, for ${seconds} s a turn; ${rounds} rounds, in turn. Beside ours stands ` +
    'Express as it comes (its own defaults), with a token check by jsonwebtoken with a key object, one read of the account by its key with ' +
    'a statement of better-sqlite3 that is prepared once, on the same database, and an answer of the same JSON. Ours reads a livestream or an account in one transaction, ' +
    'of one instant, looks whether something is due and settles that first, limits requests, and sets the headers of helmet and cors; plain requests are answered in front of Express.',
  tables: [
    {
      title: `${CLIENTS} clients, full speed`,
      columns: ['route', 'ours, a second', 'bare Express, a second', 'CPU for one, ours', 'CPU for one, bare Express'],
      rows: [...turns].map(([route, own]) => rowOf(route, own.ours, own.bare)),
    },
  ],
  charts: [
    {
      title: `Requests a second, ${CLIENTS} clients`,
      unit: 'a second',
      better: 'higher',
      bars: [...turns].flatMap(([{ name }, own]) => [
        { label: `${name}, ours`, value: speedOf(own.ours), who: 'ours' as const },
        { label: `${name}, bare Express`, value: speedOf(own.bare), who: 'limit' as const },
      ]),
    },
  ],
  targets,
  notes: [
    'Kept: the page’s files are looked for last, where they were looked for on the disk at every request; Helmet’s headers, which never change, are made once; an answer is written in one piece; the hot queries are SQL, where Kysely built them from parts each time.',
    'Kept: stamp, account and live runs of a seller by one statement instead of three; the last run from those; an account without a transaction; whether events are lost from the events themselves; helmet and cors asked once for each origin; the headers of an answer handed over in one list; a token that is known is not waited for.',
    'Kept: plain requests are answered in front of Express, from the table of routes that Express has too: its way to a route took more than most of what is done there. With the same statements behind Express these routes reached 0.66 to 0.82.',
  ],
})

function speedOf(measured: readonly Measured[]): number {
  return Math.round(median(measured.map(({ perSecond }) => perSecond)))
}
