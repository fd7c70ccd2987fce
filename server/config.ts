import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { z } from 'zod'
import { SetupError } from './domain/errors.js'
import type { Policy } from './domain/policy.js'
import { type JwtConfig, jwtSettings } from './jwt-config.js'
import { type DatabaseConfig, type LogLevel, settings } from './settings.js'

/** Everything that can be set from outside (SPEC.md, C), checked and frozen. */
export interface Config {
  readonly policy: Policy
  /** The longest that the sweep sleeps; null leaves sweeping to `monitor_credits`. */
  readonly sweepIntervalMs: number | null
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly database: DatabaseConfig
  /** What joins several servers; null joins them by the database. */
  readonly redisUrl: string | null
  readonly keys: JwtConfig
  /** Origins beside the server's own, as browsers send them: `https://a.example:8443`. */
  readonly corsOrigins: readonly string[]
  readonly logLevel: LogLevel
  /** Whether `NODE_ENV` is `production`. */
  readonly production: boolean
}

/**
 * Reads the environment (SPEC.md, C). An empty variable counts as unset, and variables of others are left alone.
 *
 * @param env `process.env`, or what `loadEnvFile` makes of it
 * @throws SetupError that lists every fault by variable: what is wrong, and what would be right. It shows no value of a
 * variable that can hold a secret.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const production = env.NODE_ENV?.trim() === 'production'
  const main = settings.safeParse(trimmed(env))
  const keys = jwtSettings(production).safeParse(trimmed(env))
  if (!main.success || !keys.success) throw faultsOf([...(main.error?.issues ?? []), ...(keys.error?.issues ?? [])])
  const { data } = main
  return Object.freeze({
    policy: Object.freeze({
      intervalMs: data.CREDIT_DEDUCTION_INTERVAL,
      warningMs: data.INACTIVITY_WARNING_TIME,
      autoEndMs: data.INACTIVITY_AUTO_END_TIME,
      lowCreditThreshold: data.LOW_CREDIT_THRESHOLD,
      refundGraceMs: data.REFUND_GRACE,
    }),
    sweepIntervalMs: data.SWEEP_INTERVAL,
    host: data.HOST,
    port: data.PORT,
    database: Object.freeze(
      data.DATABASE_URL.kind === 'sqlite'
        ? data.DATABASE_URL
        : {
            ...data.DATABASE_URL,
            poolSize: data.DATABASE_POOL_SIZE,
            statementTimeoutMs: data.DATABASE_STATEMENT_TIMEOUT,
            retryForMs: data.DATABASE_RETRY_TIME,
          },
    ),
    redisUrl: data.REDIS_URL ?? null,
    keys: keys.data,
    corsOrigins: data.CORS_ORIGINS,
    logLevel: data.LOG_LEVEL,
    production,
  })
}

/** Without the empty ones. A secret stays as it is, to the last blank: the application that signs has the same. */
function trimmed(env: NodeJS.ProcessEnv): Record<string, string> {
  const given = Object.entries(env).filter(([, value = '']) => value.trim() !== '')
  return Object.fromEntries(given.map(([name, value = '']) => [name, name === 'JWT_SECRET' ? value : value.trim()]))
}

function faultsOf(issues: readonly z.core.$ZodIssue[]): SetupError {
  const lines = issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`)
  return new SetupError(
    `The configuration has ${lines.length === 1 ? 'a fault' : `${lines.length} faults`}:\n${lines.join('\n')}`,
  )
}

/**
 * The environment together with a `.env` file, where there is one. What the real environment sets, wins, even when it
 * sets it to nothing. Changes neither.
 *
 * @throws SetupError where the file is there and cannot be read
 */
export function loadEnvFile(path: string, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return env
    throw new SetupError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  // Editors on Windows begin a file with a byte order mark, which would become part of the first name.
  return { ...parseEnv(text.replace(/^\uFEFF/, '')), ...env }
}
