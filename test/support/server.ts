import type { Role } from '../../client-sdk/protocol/index.js'
import { type App, startApp } from '../../server/app.js'
import { type Config, readConfig } from '../../server/config.js'
import type { Instant } from '../../server/domain/instant.js'
import { createLog, type Log } from '../../server/log.js'
import { type Database, openDatabase } from '../../server/store/database.js'
import { insertStamp } from '../../server/store/stamps.js'
import { databasePlace } from './fresh-database.js'
import { type HandClock, handClock } from './hand-clock.js'

export interface TestServer {
  readonly app: App
  readonly url: string
  readonly clock: HandClock
  readonly config: Config
  /** As DATABASE_URL names it. */
  readonly databaseUrl: string
  /** A second connection to the same file, as another process would have. */
  readonly database: Database
  token(sub: string, role?: Role, ttlMs?: number): string
  /**
   * Moves the clock as if servers had stamped all the while, so that no outage opens (A5), and sweeps.
   * A jump of the bare clock is an outage where it is longer than 3 s.
   */
  pass(ms: number): Promise<void>
  /** A request as JSON; the answer's status, headers and body. */
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>
  /** Stops the server and starts another on the same database and clock. */
  restart(): Promise<void>
  close(): Promise<void>
}

export interface RequestOptions {
  readonly token?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is what the test is about
  readonly body: any
}

export const TEST_SECRET = 'a secret for the tests of Tallylight only'

/** A real server on a fresh database and a free port, with a clock that the test moves by hand. */
export async function startServer(
  env: NodeJS.ProcessEnv = {},
  log: Log = createLog({ level: 'silent', pretty: false }),
): Promise<TestServer> {
  const place = await databasePlace()
  const config = readConfig({
    DATABASE_URL: place.url,
    JWT_SECRET: TEST_SECRET,
    PORT: '0',
    ...env,
  })
  const clock = handClock()
  const parts = { clock, log, isClockMovedByHand: true }
  let app = await startApp(config, parts)
  const database = openDatabase(config.database)

  async function stampAt(at: Instant): Promise<void> {
    await database.db.transaction().execute((tx) => insertStamp(tx, at, 'another-server'))
  }

  return {
    get app() {
      return app
    },
    get url() {
      return app.url
    },
    clock,
    config,
    databaseUrl: place.url,
    database,
    token: (sub, role = 'seller', ttlMs = 365 * 86_400_000) => app.tokens.sign({ sub, role, ttlMs }),
    async pass(ms) {
      await stampAt(clock.now() + ms)
      clock.advance(ms)
      await app.sweep()
    },
    async request(method, path, { token, body, headers = {} } = {}) {
      const response = await fetch(`${app.url}${path}`, {
        method,
        headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.includes('json')
      return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
    },
    async restart() {
      await app.stop()
      app = await startApp(config, parts)
    },
    async close() {
      await app.stop()
      await database.close()
      await place.remove()
    },
  }
}
