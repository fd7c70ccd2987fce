import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { withDevSecret } from '../server/dev-secret.js'
import { SetupError } from '../server/domain/errors.js'
import type { JwtConfig, TokenKeys } from '../server/jwt-config.js'

const rules = { algorithms: ['HS256'], issuer: 'i', audience: null } as const
const DEVELOPMENT: JwtConfig = { kind: 'dev_secret', ...rules }

const folder = mkdtempSync(join(tmpdir(), 'tallylight-secret-'))
test.after(() => rmSync(folder, { recursive: true }))

const database = (file: string) => ({ kind: 'sqlite', file }) as const
const textOf = (keys: TokenKeys) => (keys.kind === 'secret' ? keys.key.export().toString() : keys.kind)

test('C: the development secret is made once, beside the database, for its owner only', () => {
  const file = join(folder, 'a', 'new', 'x.db')
  const keys = withDevSecret(DEVELOPMENT, database(file))
  assert.match(textOf(keys), /^[0-9a-f]{64}$/)
  const { algorithms, issuer, audience } = keys
  assert.equal({ algorithms, issuer, audience }, rules)
  assert.is(textOf(withDevSecret(DEVELOPMENT, database(file))), textOf(keys))
  assert.equal(readdirSync(join(folder, 'a', 'new')), ['dev-jwt-secret'])
  const kept = join(folder, 'a', 'new', 'dev-jwt-secret')
  assert.is(readFileSync(kept, 'utf8'), `${textOf(keys)}\n`)
  assert.is(statSync(kept).mode & 0o777, 0o600)
})

test('C: each place has its own secret, and a database in memory a new one each time', () => {
  const secrets = [join(folder, 'b', 'x.db'), join(folder, 'c', 'x.db'), ':memory:', ':memory:'].map((file) =>
    textOf(withDevSecret(DEVELOPMENT, database(file))),
  )
  assert.is(new Set(secrets).size, 4)
})

test('C: configured keys stay as they are, and nothing is written', () => {
  const keys: JwtConfig = { kind: 'jwks', url: 'https://id.example/', ...rules }
  assert.is(withDevSecret(keys, database(join(folder, 'd', 'x.db'))), keys)
  assert.not.ok(readdirSync(folder).includes('d'))
})

test('C: a file that holds something else is named, not used and not replaced', () => {
  mkdirSync(join(folder, 'e'))
  const kept = join(folder, 'e', 'dev-jwt-secret')
  for (const content of ['', 'short', `${'a'.repeat(64)}\n${'a'.repeat(64)}`]) {
    writeFileSync(kept, content)
    assert.throws(
      () => withDevSecret(DEVELOPMENT, database(join(folder, 'e', 'x.db'))),
      (error: unknown) => error instanceof SetupError && error.message.startsWith(`${kept} does not hold`),
    )
    assert.is(readFileSync(kept, 'utf8'), content)
  }
})

test('C: where it cannot be made, the error says what else to do', () => {
  writeFileSync(join(folder, 'file'), '')
  assert.throws(
    () => withDevSecret(DEVELOPMENT, database(join(folder, 'file', 'x.db'))),
    (error: unknown) => error instanceof SetupError && error.message.endsWith('(ENOTDIR); set JWT_SECRET instead'),
  )
})

test('C: processes that start at once agree on one secret', async () => {
  const place = join(folder, 'race')
  // All of them begin at the same instant, whenever they were loaded.
  const code = `
    import { withDevSecret } from './server/dev-secret.ts'
    const at = ${Date.now() + 2_000}
    for (let round = 0; round < 20; round++) {
      while (Date.now() < at + round * 10);
      const file = ${JSON.stringify(place)} + round + '/x.db'
      console.log(withDevSecret(${JSON.stringify(DEVELOPMENT)}, { kind: 'sqlite', file }).key.export().toString())
    }`
  const runs = [1, 2, 3, 4].map(async () => {
    const args = ['--import', 'tsx', '--input-type=module', '-e', code]
    const child = spawn(process.execPath, args, {
      cwd: new URL('..', import.meta.url),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const printed = text(child.stdout)
    const [exitCode] = await once(child, 'exit')
    assert.is(exitCode, 0)
    return printed
  })
  const printed = await Promise.all(runs)
  assert.is(new Set(printed).size, 1)
  const [lines = ''] = printed
  assert.is(new Set(lines.trim().split('\n')).size, 20)
})

test.run()
