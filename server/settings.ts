import { isIP } from 'node:net'
import { z } from 'zod'
import { DURATION_RULE, parseDuration } from './duration.js'

// The variables of SPEC.md, C, without the `JWT_` ones: each from its text (undefined where unset) to what the program uses.

/** How much is logged: pino's levels, the gravest first, and none at all. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface SqliteConfig {
  readonly kind: 'sqlite'
  /** A path, relative to the working directory where it is not absolute, or `:memory:`. */
  readonly file: string
}

export interface PostgresConfig {
  readonly kind: 'postgres'
  readonly url: string
  /** The most connections of this process. */
  readonly poolSize: number
  /** The longest that one statement may take. */
  readonly statementTimeoutMs: number
  /** How long a transaction is tried again, after a deadlock or a lost connection. */
  readonly retryForMs: number
}

export type DatabaseConfig = SqliteConfig | PostgresConfig

/** A value in an error: on one line, quoted and not too long. */
function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}

interface DurationRule {
  min: string
  max: string
  /** Whether a bare number means minutes, as it did in the old settings. */
  bareMinutes?: boolean
}

function readDuration(text: string, { min, max, bareMinutes = false }: DurationRule, ctx: z.RefinementCtx): number {
  const refuse = (message: string): never => {
    ctx.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  const isBare = /^[\d.]+$/.test(text)
  const durationMs = parseDuration(isBare && bareMinutes ? `${text}m` : text)
  const advice = isBare && !bareMinutes ? 'give a unit, such as 90s' : `write ${DURATION_RULE}`
  if (durationMs === null) return refuse(`${shown(text)}: ${advice}`)
  if (durationMs < (parseDuration(min) ?? 0)) return refuse(`${shown(text)}: must be at least ${min}`)
  if (durationMs > (parseDuration(max) ?? 0)) return refuse(`${shown(text)}: must be at most ${max}`)
  return durationMs
}

function duration(unset: string, rule: DurationRule) {
  return z
    .string()
    .default(unset)
    .transform((text, ctx) => readDuration(text, rule, ctx))
}

function wholeNumber(unset: number, max: number, min = 0) {
  const range = `a whole number from ${min} to ${max}`
  return z
    .string()
    .default(String(unset))
    .transform((text) => (/^\d{1,16}$/.test(text) ? Number(text) : text))
    .pipe(
      z
        .number({ error: ({ input }) => `${shown(String(input))} is not ${range}` })
        .max(max, `must be ${range}`)
        .min(min, `must be ${range}`),
    )
}

// Not shown in an error: a database's address often holds a password.
const database = z
  .string()
  .default('sqlite:data/tallylight.db')
  .transform((text, ctx): SqliteConfig | Pick<PostgresConfig, 'kind' | 'url'> => {
    const file = sqliteFile(text)
    if (file) return { kind: 'sqlite', file }
    if (/^postgres(ql)?:\/\/[^/]*\/[^/]/i.test(text) && URL.canParse(text)) return { kind: 'postgres', url: text }
    const message =
      'must be sqlite:PATH, such as sqlite:data/tallylight.db, or postgres://USER:PASSWORD@HOST:PORT/DATABASE'
    ctx.addIssue({ code: 'custom', message })
    return z.NEVER
  })

const redis = z
  .string()
  .optional()
  .refine((text) => text === undefined || (/^rediss?:\/\/./i.test(text) && URL.canParse(text)), {
    message: 'must be redis://HOST:PORT or rediss://HOST:PORT',
  })

/** `sqlite:PATH`, and `sqlite:///PATH` for an absolute one; null where it is neither. */
function sqliteFile(text: string): string | null {
  const path = /^sqlite:(?:\/\/(?=\/))?(?!\/\/)(.*[^/\\])$/.exec(text)?.[1] ?? null
  // sqlite:///C:/data.db
  return path && /^\/[A-Za-z]:[\\/]/.test(path) ? path.slice(1) : path
}

const ORIGIN = /^https?:\/\/[^/?#@*\\\s]+$/i

/** As browsers write it: in lower case, without the port that the scheme implies. */
function originOf(text: string): string | null {
  return ORIGIN.test(text) && URL.canParse(text) ? new URL(text).origin : null
}

const origins = z
  .string()
  .default('')
  .transform((text, ctx): readonly string[] => {
    const items = text === '' ? [] : text.split(',').map((item) => item.trim())
    const checked = items.map((item) => {
      const origin = originOf(item)
      if (origin) return origin
      const name = item.includes('@') ? 'an item' : shown(item)
      ctx.addIssue({
        code: 'custom',
        message: `${name} is not an origin, such as https://a.example:8443 (no path, no *)`,
      })
      return z.NEVER
    })
    return Object.freeze([...new Set(checked)])
  })

const host = z
  .string()
  .default('127.0.0.1')
  .refine((text) => isIP(text) !== 0 || /^[\w.-]+$/.test(text), 'must be an address or a host name, without a port')

const sweepInterval = z
  .string()
  .default('1s')
  .transform((text, ctx) => (text === 'off' ? null : readDuration(text, { min: '20ms', max: '1h' }, ctx)))

const bothTimes = z.object({ INACTIVITY_AUTO_END_TIME: z.number(), INACTIVITY_WARNING_TIME: z.number() })

/** All of them; a fault's path is the name of its variable. */
export const settings = z
  .object({
    CREDIT_DEDUCTION_INTERVAL: duration('30m', { min: '1s', max: '365d', bareMinutes: true }),
    INACTIVITY_WARNING_TIME: duration('10m', { min: '1s', max: '365d', bareMinutes: true }),
    // A5: a shorter one would end runs within a gap that is no outage yet.
    INACTIVITY_AUTO_END_TIME: duration('15m', { min: '3001ms', max: '365d', bareMinutes: true }),
    LOW_CREDIT_THRESHOLD: wholeNumber(2, Number.MAX_SAFE_INTEGER),
    REFUND_GRACE: duration('0s', { min: '0s', max: '365d' }),
    SWEEP_INTERVAL: sweepInterval,
    HOST: host,
    PORT: wholeNumber(3000, 65_535),
    DATABASE_URL: database,
    DATABASE_POOL_SIZE: wholeNumber(10, 1_000, 1),
    DATABASE_STATEMENT_TIMEOUT: duration('10s', { min: '1s', max: '10m' }),
    DATABASE_RETRY_TIME: duration('5s', { min: '0s', max: '1m' }),
    REDIS_URL: redis,
    CORS_ORIGINS: origins,
    LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
  })
  .refine((times) => times.INACTIVITY_AUTO_END_TIME > times.INACTIVITY_WARNING_TIME, {
    path: ['INACTIVITY_AUTO_END_TIME'],
    message: 'must be longer than INACTIVITY_WARNING_TIME',
    // Whatever else is wrong, so that all faults are told at once.
    when: ({ value }) => bothTimes.safeParse(value).success,
  })
