#!/usr/bin/env node
import { Command, InvalidArgumentError, Option } from 'commander'
import { ROLES, type Role } from '../client-sdk/protocol/index.js'
import { type Config, loadEnvFile, readConfig } from './config.js'
import { Refusal, SetupError } from './domain/errors.js'
import { IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_RULE } from './domain/idempotency-key.js'
import { SECOND_MS } from './domain/instant.js'
import { SELLER_ID, SELLER_ID_RULE } from './domain/seller-id.js'
import { parseDuration } from './duration.js'

const print = (line: string): void => console.log(line)

function config(): Config {
  return readConfig(loadEnvFile('.env', process.env))
}

function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const number = Number(text)
    if (!/^-?\d+$/.test(text) || number < least || number > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
    }
    return number
  }
}

function sellerId(text: string): string {
  if (!SELLER_ID.test(text)) throw new InvalidArgumentError(`It must be ${SELLER_ID_RULE}.`)
  return text
}

function idempotencyKey(text: string): string {
  if (!IDEMPOTENCY_KEY.test(text)) throw new InvalidArgumentError(`It must be ${IDEMPOTENCY_KEY_RULE}.`)
  return text
}

function duration(text: string): number {
  const ms = parseDuration(text)
  if (ms === null) throw new InvalidArgumentError('It must be a number with a unit, such as 90s, 30m or 1h.')
  return ms
}

// Each command loads what it needs when it is called: `token` should not wait for a web server to load.
const program = new Command('tallylight')
  .description(
    'Meters the prepaid credits of live streams in real time.\nSettings come from the environment and from .env in this folder (README.md, "Settings").',
  )
  .showHelpAfterError('(run with --help for what there is)')

program
  .command('serve')
  .description('run the server, with its sweep, until SIGTERM or Ctrl+C')
  .action(async () => (await import('./commands/serve.js')).serve(config()))

program
  .command('monitor_credits')
  .description('run the sweep alone; safe beside a server or another monitor')
  .option('--run-once', 'check once and exit', false)
  .option('--verbose', 'also print every live livestream, with the minutes to its next deduction', false)
  .option('--check-interval <seconds>', 'the time between two checks', wholeNumber(1, 86_400), 300)
  .action(async (options: { runOnce: boolean; verbose: boolean; checkInterval: number }) => {
    const abort = new AbortController()
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => abort.abort())
    const { monitorCredits } = await import('./commands/monitor-credits.js')
    const { runOnce, verbose, checkInterval } = options
    await monitorCredits(
      config(),
      { runOnce, verbose, checkIntervalMs: checkInterval * SECOND_MS, signal: abort.signal },
      print,
    )
  })

program
  .command('migrate')
  .description('bring the database up to date (serve does it too)')
  .action(async () => (await import('./commands/migrate.js')).migrate(config(), print))

program
  .command('token')
  .description('print a signed token (needs JWT_SECRET, or the secret of development)')
  .requiredOption('--seller <id>', 'whom the token speaks for: its sub', sellerId)
  .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).default('seller'))
  .option('--ttl <duration>', 'how long it is good for, such as 90s, 30m or 1h', duration, parseDuration('1h') ?? 0)
  .action(async (options: { seller: string; role: Role; ttl: number }) => {
    const { token } = await import('./commands/token.js')
    token(config(), { seller: options.seller, role: options.role, ttlMs: options.ttl }, print)
  })

program
  .command('grant')
  .description('give a seller credits; safe beside a running server, which tells the seller within a second')
  .requiredOption('--seller <id>', 'who gets them', sellerId)
  .requiredOption('--credits <n>', 'how many', wholeNumber(1, Number.MAX_SAFE_INTEGER))
  .requiredOption('--key <key>', 'your own key for this grant: granting again with it changes nothing', idempotencyKey)
  .option('--reason <text>', 'a note for the ledger')
  .action(async (options: { seller: string; credits: number; key: string; reason?: string }) => {
    const { grant } = await import('./commands/grant.js')
    const { seller, credits, key, reason } = options
    await grant(config(), { sellerId: seller, amount: credits, idempotencyKey: key, reason }, print)
  })

program
  .command('audit')
  .description(
    'check the data against every rule of billing, ending and events that it can show; exits 1 where one is broken',
  )
  .action(async () => {
    const { audit } = await import('./commands/audit.js')
    if (!(await audit(config(), print))) process.exitCode = 1
  })

try {
  await program.parseAsync()
} catch (error) {
  // What its user can mend is said in a line or two; anything else is a bug, and shows where it happened.
  if (error instanceof SetupError || error instanceof Refusal) console.error(`tallylight: ${error.message}`)
  else console.error(error)
  process.exitCode = 1
}
