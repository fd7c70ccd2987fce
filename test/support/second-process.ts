import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type MoveAnswer, moveSellerCredits } from '../../server/services/credits.js'
import { createMetering, type Metering } from '../../server/services/metering.js'
import { commandTimekeeper } from '../../server/services/timekeeper.js'
import { TEST_SECRET, type TestServer } from './server.js'

export const CLI = fileURLToPath(new URL('../../dist/server/cli.js', import.meta.url))

export interface SecondProcess {
  readonly metering: Metering
  /** Moves credits, each time with a key of its own. */
  move(sellerId: string, amount: number): Promise<MoveAnswer>
}

let moves = 0

/** What a command does beside a server: the same services on a connection of their own, and nobody is told of it. */
export function secondProcess({
  database,
  clock,
  config,
}: Pick<TestServer, 'database' | 'clock' | 'config'>): SecondProcess {
  const timekeeper = commandTimekeeper(clock)
  const metering = createMetering({ db: database.db, clock, timekeeper, announce: () => undefined })
  return {
    metering,
    move(sellerId, amount) {
      moves += 1
      return moveSellerCredits(metering, config.policy, { sellerId, amount, idempotencyKey: `second-process-${moves}` })
    },
  }
}

/** Runs a command of the built program on the server's database, and returns what it prints. */
export async function runCli({ databaseUrl }: Pick<TestServer, 'databaseUrl'>, ...args: string[]): Promise<string> {
  const env = { ...process.env, DATABASE_URL: databaseUrl, JWT_SECRET: TEST_SECRET }
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args], { env })
  return stdout
}
