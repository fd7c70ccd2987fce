import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Config, loadEnvFile, readConfig } from '../server/config.js'
import { SetupError } from '../server/domain/errors.js'

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const RSA = pem(rsa.publicKey)
const RSA_PRIVATE = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const SMALL_RSA = pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)
const RSA_PSS = pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey)
const ec = (namedCurve: string): string => pem(generateKeyPairSync('ec', { namedCurve }).publicKey)
const ED25519 = pem(generateKeyPairSync('ed25519').publicKey)
const fileOf = ({ database }: Config) => (database.kind === 'sqlite' ? database.file : undefined)
const SECRET = 'correct-horse-battery-staple-0123456789'
const JWKS = 'https://id.example/jwks.json'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

test('C: the defaults', () => {
  const config = readConfig({})
  assert.equal(config, {
    policy: {
      intervalMs: 30 * MINUTE,
      warningMs: 10 * MINUTE,
      autoEndMs: 15 * MINUTE,
      lowCreditThreshold: 2,
      refundGraceMs: 0,
    },
    sweepIntervalMs: 1_000,
    host: '127.0.0.1',
    port: 3000,
    database: { kind: 'sqlite', file: 'data/tallylight.db' },
    redisUrl: null,
    keys: { kind: 'dev_secret', algorithms: ['HS256'], issuer: null, audience: null },
    corsOrigins: [],
    logLevel: 'info',
    production: false,
  })
})

test('C: the configuration is frozen', () => {
  const config = readConfig({ JWT_SECRET: SECRET, CORS_ORIGINS: 'https://a.example' })
  const parts = [config, config.policy, config.database, config.keys, config.keys.algorithms, config.corsOrigins]
  for (const part of parts) assert.ok(Object.isFrozen(part))
})

const right: { env: NodeJS.ProcessEnv; of: (config: Config) => unknown; is: unknown }[] = [
  // Bare numbers in the first three are minutes.
  { env: { CREDIT_DEDUCTION_INTERVAL: '45' }, of: (c) => c.policy.intervalMs, is: 45 * MINUTE },
  { env: { CREDIT_DEDUCTION_INTERVAL: '0.5' }, of: (c) => c.policy.intervalMs, is: 30_000 },
  { env: { INACTIVITY_WARNING_TIME: '5' }, of: (c) => c.policy.warningMs, is: 5 * MINUTE },
  { env: { INACTIVITY_AUTO_END_TIME: '20' }, of: (c) => c.policy.autoEndMs, is: 20 * MINUTE },
  { env: { CREDIT_DEDUCTION_INTERVAL: '90s' }, of: (c) => c.policy.intervalMs, is: 90_000 },
  { env: { CREDIT_DEDUCTION_INTERVAL: '1500ms' }, of: (c) => c.policy.intervalMs, is: 1_500 },
  { env: { CREDIT_DEDUCTION_INTERVAL: '1.005s' }, of: (c) => c.policy.intervalMs, is: 1_005 },
  { env: { CREDIT_DEDUCTION_INTERVAL: '1.5h' }, of: (c) => c.policy.intervalMs, is: 90 * MINUTE },
  { env: { CREDIT_DEDUCTION_INTERVAL: ' 1h ' }, of: (c) => c.policy.intervalMs, is: HOUR },
  { env: { CREDIT_DEDUCTION_INTERVAL: '365d' }, of: (c) => c.policy.intervalMs, is: 365 * DAY },
  { env: { CREDIT_DEDUCTION_INTERVAL: '' }, of: (c) => c.policy.intervalMs, is: 30 * MINUTE },
  { env: { CREDIT_DEDUCTION_INTERVAL: '  ' }, of: (c) => c.policy.intervalMs, is: 30 * MINUTE },
  {
    env: { INACTIVITY_WARNING_TIME: '3s', INACTIVITY_AUTO_END_TIME: '3001ms' },
    of: (c) => c.policy.autoEndMs,
    is: 3_001,
  },
  { env: { LOW_CREDIT_THRESHOLD: '0' }, of: (c) => c.policy.lowCreditThreshold, is: 0 },
  { env: { LOW_CREDIT_THRESHOLD: '9007199254740991' }, of: (c) => c.policy.lowCreditThreshold, is: 2 ** 53 - 1 },
  { env: { REFUND_GRACE: '0' }, of: (c) => c.policy.refundGraceMs, is: 0 },
  { env: { REFUND_GRACE: '2m' }, of: (c) => c.policy.refundGraceMs, is: 2 * MINUTE },
  { env: { SWEEP_INTERVAL: 'off' }, of: (c) => c.sweepIntervalMs, is: null },
  { env: { SWEEP_INTERVAL: '20ms' }, of: (c) => c.sweepIntervalMs, is: 20 },
  { env: { SWEEP_INTERVAL: '1h' }, of: (c) => c.sweepIntervalMs, is: HOUR },
  { env: { HOST: '::' }, of: (c) => c.host, is: '::' },
  { env: { HOST: '0.0.0.0' }, of: (c) => c.host, is: '0.0.0.0' },
  { env: { HOST: 'localhost' }, of: (c) => c.host, is: 'localhost' },
  { env: { PORT: '0' }, of: (c) => c.port, is: 0 },
  { env: { PORT: '65535' }, of: (c) => c.port, is: 65_535 },
  { env: { DATABASE_URL: 'sqlite::memory:' }, of: (c) => fileOf(c), is: ':memory:' },
  { env: { DATABASE_URL: 'sqlite:a b/c.db' }, of: (c) => fileOf(c), is: 'a b/c.db' },
  { env: { DATABASE_URL: 'sqlite:/var/lib/c.db' }, of: (c) => fileOf(c), is: '/var/lib/c.db' },
  { env: { DATABASE_URL: 'sqlite:///var/lib/c.db' }, of: (c) => fileOf(c), is: '/var/lib/c.db' },
  { env: { DATABASE_URL: 'sqlite:C:\\data\\c.db' }, of: (c) => fileOf(c), is: 'C:\\data\\c.db' },
  { env: { DATABASE_URL: 'sqlite:///C:/data/c.db' }, of: (c) => fileOf(c), is: 'C:/data/c.db' },
  ...['postgres://u:p%40ss@h:5433/d?sslmode=require', 'postgresql://h/d', 'postgres:///d'].map((url) => ({
    env: { DATABASE_URL: url },
    of: (c: Config) => c.database,
    is: { kind: 'postgres', url, poolSize: 10, statementTimeoutMs: 10_000, retryForMs: 5_000 },
  })),
  {
    env: {
      DATABASE_URL: 'postgres://h/d',
      DATABASE_POOL_SIZE: '3',
      DATABASE_STATEMENT_TIMEOUT: '1m',
      DATABASE_RETRY_TIME: '0s',
    },
    of: (c) => c.database,
    is: { kind: 'postgres', url: 'postgres://h/d', poolSize: 3, statementTimeoutMs: MINUTE, retryForMs: 0 },
  },
  { env: { REDIS_URL: '' }, of: (c) => c.redisUrl, is: null },
  { env: { REDIS_URL: 'rediss://:p@h:6380/1' }, of: (c) => c.redisUrl, is: 'rediss://:p@h:6380/1' },
  {
    env: { CORS_ORIGINS: 'https://a.example:8443, http://localhost:5173,HTTPS://B.example:443,https://b.example' },
    of: (c) => c.corsOrigins,
    is: ['https://a.example:8443', 'http://localhost:5173', 'https://b.example'],
  },
  { env: { CORS_ORIGINS: 'http://[::1]:3000' }, of: (c) => c.corsOrigins, is: ['http://[::1]:3000'] },
  { env: { LOG_LEVEL: 'silent' }, of: (c) => c.logLevel, is: 'silent' },
  { env: { NODE_ENV: 'production', JWT_SECRET: SECRET }, of: (c) => c.production, is: true },
  { env: { NODE_ENV: 'development' }, of: (c) => c.production, is: false },
  { env: { JWT_SECRET: 'short' }, of: (c) => c.keys.kind, is: 'secret' },
  { env: { JWT_SECRET: SECRET }, of: (c) => c.keys.algorithms, is: ['HS256'] },
  { env: { JWT_SECRET: SECRET, JWT_ALGORITHMS: 'HS512, HS256' }, of: (c) => c.keys.algorithms, is: ['HS256', 'HS512'] },
  { env: { JWT_PUBLIC_KEY: RSA }, of: (c) => c.keys.algorithms, is: ['RS256'] },
  { env: { JWT_PUBLIC_KEY: RSA.replaceAll('\n', '\\n') }, of: (c) => c.keys.kind, is: 'public_key' },
  { env: { JWT_PUBLIC_KEY: RSA, JWT_ALGORITHMS: 'PS256' }, of: (c) => c.keys.algorithms, is: ['PS256'] },
  { env: { JWT_PUBLIC_KEY: ec('P-256') }, of: (c) => c.keys.algorithms, is: ['ES256'] },
  { env: { JWT_PUBLIC_KEY: ec('P-384') }, of: (c) => c.keys.algorithms, is: ['ES384'] },
  { env: { JWT_PUBLIC_KEY: ec('P-521') }, of: (c) => c.keys.algorithms, is: ['ES512'] },
  {
    env: { JWT_JWKS_URL: JWKS },
    of: (c) => c.keys,
    is: { kind: 'jwks', url: JWKS, algorithms: ['RS256', 'ES256'], issuer: null, audience: null },
  },
  { env: { JWT_JWKS_URL: 'http://127.0.0.1:8080/k' }, of: (c) => c.keys.kind, is: 'jwks' },
  { env: { JWT_JWKS_URL: 'http://[::1]:8080/k' }, of: (c) => c.keys.kind, is: 'jwks' },
  { env: { JWT_JWKS_URL: 'http://localhost/k' }, of: (c) => c.keys.kind, is: 'jwks' },
  { env: { JWT_ISSUER: 'https://id.example/' }, of: (c) => c.keys.issuer, is: 'https://id.example/' },
  { env: { JWT_AUDIENCE: 'tallylight' }, of: (c) => c.keys.audience, is: 'tallylight' },
  { env: { JWT_SECRET: '   ' }, of: (c) => c.keys.kind, is: 'dev_secret' },
  { env: { SOMETHING_ELSE: 'whatever', npm_config_x: '' }, of: (c) => c.port, is: 3000 },
]

for (const { env, of, is } of right) {
  test(`C: ${title(env)}`, () => assert.equal(of(readConfig(env)), is))
}

const DURATION = 'write a number with a unit (ms, s, m, h or d), such as 90s'
const wrong: { env: NodeJS.ProcessEnv; says: string }[] = [
  ...['1y', '1w', '1 fortnight', '-5m', '-5', '+5m', '5M', '5 m', '.5h', '1e3s', '0x10', 'Infinity', 'abc', '٣m'].map(
    (text) => ({
      env: { CREDIT_DEDUCTION_INTERVAL: text },
      says: `CREDIT_DEDUCTION_INTERVAL: ${JSON.stringify(text)}: ${DURATION}`,
    }),
  ),
  { env: { CREDIT_DEDUCTION_INTERVAL: '1.5ms' }, says: `CREDIT_DEDUCTION_INTERVAL: "1.5ms": ${DURATION}` },
  { env: { CREDIT_DEDUCTION_INTERVAL: '1.0001s' }, says: `CREDIT_DEDUCTION_INTERVAL: "1.0001s": ${DURATION}` },
  { env: { CREDIT_DEDUCTION_INTERVAL: '1\n2' }, says: 'CREDIT_DEDUCTION_INTERVAL: "1\\n2": write' },
  {
    env: { CREDIT_DEDUCTION_INTERVAL: '9'.repeat(300) },
    says: `CREDIT_DEDUCTION_INTERVAL: "${'9'.repeat(40)}…": write`,
  },
  { env: { CREDIT_DEDUCTION_INTERVAL: '0' }, says: 'CREDIT_DEDUCTION_INTERVAL: "0": must be at least 1s' },
  { env: { CREDIT_DEDUCTION_INTERVAL: '999ms' }, says: 'CREDIT_DEDUCTION_INTERVAL: "999ms": must be at least 1s' },
  { env: { CREDIT_DEDUCTION_INTERVAL: '366d' }, says: 'CREDIT_DEDUCTION_INTERVAL: "366d": must be at most 365d' },
  { env: { INACTIVITY_WARNING_TIME: '500ms' }, says: 'INACTIVITY_WARNING_TIME: "500ms": must be at least 1s' },
  {
    env: { INACTIVITY_WARNING_TIME: '15' },
    says: 'INACTIVITY_AUTO_END_TIME: must be longer than INACTIVITY_WARNING_TIME',
  },
  {
    env: { INACTIVITY_AUTO_END_TIME: '10m' },
    says: 'INACTIVITY_AUTO_END_TIME: must be longer than INACTIVITY_WARNING_TIME',
  },
  {
    env: { INACTIVITY_WARNING_TIME: '1s', INACTIVITY_AUTO_END_TIME: '3s' },
    says: 'INACTIVITY_AUTO_END_TIME: "3s": must be at least 3001ms',
  },
  { env: { LOW_CREDIT_THRESHOLD: '-1' }, says: 'LOW_CREDIT_THRESHOLD: "-1" is not a whole number from 0 to' },
  { env: { LOW_CREDIT_THRESHOLD: '1.5' }, says: 'LOW_CREDIT_THRESHOLD: "1.5" is not a whole number' },
  {
    env: { LOW_CREDIT_THRESHOLD: '9007199254740993' },
    says: 'LOW_CREDIT_THRESHOLD: must be a whole number from 0 to 9007199254740991',
  },
  { env: { REFUND_GRACE: '5' }, says: 'REFUND_GRACE: "5": give a unit, such as 90s' },
  { env: { SWEEP_INTERVAL: '1' }, says: 'SWEEP_INTERVAL: "1": give a unit, such as 90s' },
  { env: { SWEEP_INTERVAL: '10ms' }, says: 'SWEEP_INTERVAL: "10ms": must be at least 20ms' },
  { env: { SWEEP_INTERVAL: '0' }, says: 'SWEEP_INTERVAL: "0": must be at least 20ms' },
  { env: { SWEEP_INTERVAL: '61m' }, says: 'SWEEP_INTERVAL: "61m": must be at most 1h' },
  { env: { HOST: 'localhost:3000' }, says: 'HOST: must be an address or a host name, without a port' },
  { env: { HOST: 'http://x' }, says: 'HOST: must be' },
  { env: { PORT: '65536' }, says: 'PORT: must be a whole number from 0 to 65535' },
  { env: { PORT: '3000a' }, says: 'PORT: "3000a" is not a whole number from 0 to 65535' },
  { env: { PORT: '1e3' }, says: 'PORT: "1e3" is not' },
  ...['postgres://u:hidden@h', 'postgres://u:hidden@h/', 'postgres:d', 'postgres://h:x/d'].map((text) => ({
    env: { DATABASE_URL: text },
    says: 'DATABASE_URL: must be sqlite:PATH, such as sqlite:data/tallylight.db, or postgres://USER:PASSWORD@HOST',
  })),
  { env: { DATABASE_POOL_SIZE: '0' }, says: 'DATABASE_POOL_SIZE: must be a whole number from 1 to 1000' },
  { env: { DATABASE_STATEMENT_TIMEOUT: '10' }, says: 'DATABASE_STATEMENT_TIMEOUT: "10": give a unit' },
  { env: { DATABASE_RETRY_TIME: '2m' }, says: 'DATABASE_RETRY_TIME: "2m": must be at most 1m' },
  ...[
    'mysql://u:hidden@h/d',
    'data/x.db',
    'sqlite:',
    'sqlite://',
    'sqlite:///',
    'sqlite://x.db',
    'sqlite:////x.db',
  ].map((text) => ({
    env: { DATABASE_URL: text },
    says: 'DATABASE_URL: must be sqlite:PATH, such as sqlite:data/tallylight.db',
  })),
  ...['localhost:6379', 'http://:hidden@h', 'redis://:hidden@h:x'].map((text) => ({
    env: { REDIS_URL: text },
    says: 'REDIS_URL: must be redis://HOST:PORT or rediss://HOST:PORT',
  })),
  ...[
    '*',
    'null',
    'https://*.example',
    'https://a.example/',
    'https://a.example/x',
    'https://a.example?',
    'a.example',
    'ftp://a.example',
    'https://',
    'https://a b',
  ].map((text) => ({
    env: { CORS_ORIGINS: `https://ok.example,${text}` },
    says: `CORS_ORIGINS: ${JSON.stringify(text)} is not an origin, such as`,
  })),
  { env: { CORS_ORIGINS: 'https://u:hidden@a.example' }, says: 'CORS_ORIGINS: an item is not an origin' },
  { env: { LOG_LEVEL: 'verbose' }, says: 'LOG_LEVEL: must be one of fatal, error, warn, info, debug, trace, silent' },
  {
    env: { NODE_ENV: 'production' },
    says: 'JWT_SECRET: with NODE_ENV=production one of JWT_SECRET, JWT_PUBLIC_KEY and JWT_JWKS_URL is required',
  },
  { env: { NODE_ENV: 'production', JWT_SECRET: 'hidden' }, says: 'JWT_SECRET: is shorter than 32 bytes' },
  {
    env: { NODE_ENV: 'production', JWT_SECRET: `hidden${'x'.repeat(25)}` },
    says: 'JWT_SECRET: is shorter than 32 bytes',
  },
  { env: { JWT_SECRET: RSA }, says: 'JWT_SECRET: holds a PEM key; that belongs in JWT_PUBLIC_KEY' },
  {
    env: { JWT_SECRET: SECRET, JWT_PUBLIC_KEY: RSA },
    says: 'JWT_SECRET: stands beside JWT_PUBLIC_KEY; give only one of them',
  },
  {
    env: { JWT_SECRET: SECRET, JWT_PUBLIC_KEY: RSA, JWT_JWKS_URL: JWKS },
    says: 'JWT_SECRET: stands beside JWT_PUBLIC_KEY and JWT_JWKS_URL',
  },
  { env: { JWT_PUBLIC_KEY: 'hidden' }, says: 'JWT_PUBLIC_KEY: is not a PEM public key' },
  { env: { JWT_PUBLIC_KEY: RSA_PRIVATE }, says: 'JWT_PUBLIC_KEY: holds a private key' },
  { env: { JWT_PUBLIC_KEY: SMALL_RSA }, says: 'JWT_PUBLIC_KEY: is an RSA key of 1024 bits; it needs at least 2048' },
  { env: { JWT_PUBLIC_KEY: ED25519 }, says: 'JWT_PUBLIC_KEY: is of a kind that is not supported (ed25519); use RSA' },
  { env: { JWT_PUBLIC_KEY: RSA_PSS }, says: 'JWT_PUBLIC_KEY: is of a kind that is not supported (rsa-pss)' },
  { env: { JWT_PUBLIC_KEY: ec('secp256k1') }, says: 'JWT_PUBLIC_KEY: is of a kind that is not supported (secp256k1)' },
  {
    env: { JWT_PUBLIC_KEY: RSA, JWT_ALGORITHMS: 'HS256' },
    says: 'JWT_ALGORITHMS: must be a comma-separated list of what fits the key: RS256,',
  },
  { env: { JWT_PUBLIC_KEY: RSA, JWT_ALGORITHMS: 'RS256,HS256' }, says: 'JWT_ALGORITHMS: must be' },
  {
    env: { JWT_PUBLIC_KEY: ec('P-256'), JWT_ALGORITHMS: 'ES384' },
    says: 'JWT_ALGORITHMS: must be a comma-separated list of what fits the key: ES256',
  },
  { env: { JWT_JWKS_URL: JWKS, JWT_ALGORITHMS: 'HS256' }, says: 'JWT_ALGORITHMS: must be' },
  { env: { JWT_SECRET: SECRET, JWT_ALGORITHMS: 'none' }, says: 'JWT_ALGORITHMS: must be' },
  { env: { JWT_SECRET: SECRET, JWT_ALGORITHMS: 'HS256,none' }, says: 'JWT_ALGORITHMS: must be' },
  {
    env: { JWT_ALGORITHMS: 'RS256' },
    says: 'JWT_ALGORITHMS: must be a comma-separated list of what fits the key: HS256, HS384, HS512',
  },
  { env: { JWT_ALGORITHMS: ',' }, says: 'JWT_ALGORITHMS: must be' },
  { env: { JWT_JWKS_URL: 'http://id.example/jwks' }, says: 'JWT_JWKS_URL: must be an https:// URL' },
  { env: { JWT_JWKS_URL: 'http://localhost.example/jwks' }, says: 'JWT_JWKS_URL: must be an https:// URL' },
  { env: { JWT_JWKS_URL: 'http://127.example/jwks' }, says: 'JWT_JWKS_URL: must be an https:// URL' },
  { env: { JWT_JWKS_URL: 'jwks.json' }, says: 'JWT_JWKS_URL: must be an https:// URL' },
  {
    env: { JWT_JWKS_URL: 'https://u:hidden@id.example/jwks' },
    says: 'JWT_JWKS_URL: must not hold a user name or password',
  },
]

for (const { env, says } of wrong) {
  test(`C: refused: ${title(env)}`, () => {
    const message = faults(env)
    assert.ok(message.startsWith('The configuration has a fault:\n'), message)
    assert.ok(message.includes(`\n  ${says}`), message)
    // Neither a password nor a key, whole or in part.
    for (const secret of ['hidden', SECRET, 'MII', 'BEGIN P']) {
      assert.not.ok(message.replace('-----BEGIN PUBLIC KEY-----', '').includes(secret), message)
    }
  })
}

test('C: all faults are told at once, each by the name of its variable', () => {
  const message = faults({
    CREDIT_DEDUCTION_INTERVAL: '1y',
    INACTIVITY_WARNING_TIME: '20',
    LOW_CREDIT_THRESHOLD: 'two',
    PORT: '-1',
    DATABASE_URL: 'postgres://h',
    CORS_ORIGINS: '*,https://a.example/x',
    JWT_SECRET: SECRET,
    JWT_JWKS_URL: JWKS,
    JWT_ALGORITHMS: 'none',
  })
  const [head, ...lines] = message.split('\n')
  assert.is(head, 'The configuration has 9 faults:')
  assert.equal(lines.map((line) => line.trim().split(':')[0]).sort(), [
    'CORS_ORIGINS',
    'CORS_ORIGINS',
    'CREDIT_DEDUCTION_INTERVAL',
    'DATABASE_URL',
    'INACTIVITY_AUTO_END_TIME',
    'JWT_ALGORITHMS',
    'JWT_SECRET',
    'LOW_CREDIT_THRESHOLD',
    'PORT',
  ])
})

test('C: a configuration that is printed shows no secret', () => {
  const config = readConfig({ JWT_SECRET: SECRET })
  assert.not.match(inspect(config, { depth: 9, showHidden: true }), SECRET)
  assert.not.match(JSON.stringify(config), SECRET)
})

const folder = mkdtempSync(join(tmpdir(), 'tallylight-config-'))
test.after(() => rmSync(folder, { recursive: true }))

test('C: a .env file is read, and the real environment wins', () => {
  const file = join(folder, '.env')
  writeFileSync(file, '\uFEFFPORT=4000\r\nexport HOST="::1"\r\n# remark\r\nLOG_LEVEL=debug\r\nJWT_AUDIENCE=x\r\n')
  const env = { LOG_LEVEL: 'warn', JWT_AUDIENCE: '' }
  const { port, host, logLevel, keys } = readConfig(loadEnvFile(file, env))
  assert.equal(
    { port, host, logLevel, audience: keys.audience },
    { port: 4000, host: '::1', logLevel: 'warn', audience: null },
  )
  assert.equal(env, { LOG_LEVEL: 'warn', JWT_AUDIENCE: '' })
})

test('C: a .env file that is not there is no fault, one that cannot be read is', () => {
  assert.equal(loadEnvFile(join(folder, 'nowhere'), { PORT: '1' }), { PORT: '1' })
  mkdirSync(join(folder, 'directory'))
  assert.throws(
    () => loadEnvFile(join(folder, 'directory'), {}),
    (error: unknown) => error instanceof SetupError,
  )
})

test('C: reading a .env file prints no warning', () => {
  const file = JSON.stringify(join(folder, '.env'))
  const code = `import { loadEnvFile } from './server/config.ts'; console.log(loadEnvFile(${file}).PORT)`
  const args = ['--import', 'tsx', '--input-type=module', '-e', code]
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: new URL('..', import.meta.url),
    encoding: 'utf8',
  })
  assert.equal({ stdout, stderr }, { stdout: '4000\n', stderr: '' })
})

function faults(env: NodeJS.ProcessEnv): string {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof SetupError) return error.message
    throw error
  }
  throw new Error('Nothing was refused')
}

function title(env: NodeJS.ProcessEnv): string {
  return Object.entries(env)
    .map(([name, value = '']) => `${name}=${JSON.stringify(value.length > 50 ? `${value.slice(0, 50)}…` : value)}`)
    .join(' ')
}

test.run()
