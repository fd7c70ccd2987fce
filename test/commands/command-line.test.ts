import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { commandFolder, type Finished, run } from '../support/command.js'

const folder = commandFolder()
test.after(() => folder.remove())

const COMMANDS = ['serve', 'monitor_credits', 'migrate', 'token', 'grant', 'audit']
const lines = (text: string) => text.split('\n').filter((line) => line !== '')

function assertNoStack({ err }: Finished): void {
  assert.not.match(err, /^\s+at /m)
}

test('C: --help lists every command', async () => {
  const { code, out, err } = await run(folder, ['--help'])
  assert.equal([code, err], [0, ''])
  for (const command of COMMANDS) assert.match(out, new RegExp(`^  ${command}\\b`, 'm'))
})

const options: [string, string[]][] = [
  ['serve', []],
  ['monitor_credits', ['--run-once', '--verbose', '--check-interval <seconds>']],
  ['migrate', []],
  ['token', ['--seller <id>', '--role <role>', '--ttl <duration>']],
  ['grant', ['--seller <id>', '--credits <n>', '--key <key>', '--reason <text>']],
  ['audit', []],
]
test('C: each command has a --help that names its options', async () => {
  await Promise.all(
    options.map(async ([command, names]) => {
      const { code, out, err } = await run(folder, [command, '--help'])
      assert.equal([code, err], [0, ''])
      for (const name of names) assert.ok(out.includes(name), `${command} ${name}`)
    }),
  )
})

const wrong: { args: string[]; says: RegExp }[] = [
  { args: ['no-such'], says: /unknown command 'no-such'/ },
  { args: ['serve', '--no-such'], says: /unknown option '--no-such'/ },
  { args: ['monitor_credits', '--check-interval', '0'], says: /'--check-interval <seconds>' argument '0' is invalid/ },
  { args: ['monitor_credits', '--check-interval', '1.5'], says: /whole number from 1 to 86400/ },
  { args: ['token'], says: /'--seller <id>' not specified/ },
  { args: ['token', '--seller', 'a b'], says: /'--seller <id>' argument 'a b' is invalid/ },
  { args: ['token', '--seller', 'a', '--role', 'admin'], says: /Allowed choices are seller, service, operator/ },
  { args: ['token', '--seller', 'a', '--ttl', '5'], says: /number with a unit/ },
  { args: ['token', '--seller', 'a', '--ttl', '-1h'], says: /number with a unit/ },
  { args: ['token', '--seller', 'a', '--ttl', '0s'], says: /needs an end, and a later one than now/ },
  { args: ['grant', '--seller', 'a', '--credits', '5'], says: /'--key <key>' not specified/ },
  { args: ['grant', '--seller', '', '--credits', '5', '--key', 'k'], says: /'--seller <id>' argument '' is invalid/ },
  ...['0', '-5', '1.5', '1e3', '9007199254740992'].map((credits) => ({
    args: ['grant', '--seller', 'a', '--credits', credits, '--key', 'k'],
    says: /'--credits <n>' argument .* is invalid.*whole number from 1 to/,
  })),
  ...['', 'a b'].map((key) => ({
    args: ['grant', '--seller', 'a', '--credits', '1', '--key', key],
    says: /'--key <key>' argument .* is invalid.*1 to 255 visible ASCII characters/,
  })),
]
test('C: what is wrong on the command line is told, exits 1 and makes nothing', async () => {
  const fresh = commandFolder()
  try {
    for (let from = 0; from < wrong.length; from += 4) {
      await Promise.all(
        wrong.slice(from, from + 4).map(async ({ args, says }) => {
          const finished = await run(fresh, args)
          assert.is(finished.code, 1, args.join(' '))
          assert.is(finished.out, '', args.join(' '))
          assert.match(finished.err, says)
          assertNoStack(finished)
        }),
      )
    }
    const { out } = await run(fresh, ['migrate'])
    assert.match(out, 'ran 0001-initial', 'the database was not made')
  } finally {
    fresh.remove()
  }
})

test('C: faults in settings are told all at once, by name, without a stack', async () => {
  const faults = {
    PORT: '99999',
    CREDIT_DEDUCTION_INTERVAL: 'often',
    INACTIVITY_WARNING_TIME: '20',
    SWEEP_INTERVAL: '5',
    LOW_CREDIT_THRESHOLD: '-1',
    LOG_LEVEL: 'loud',
    CORS_ORIGINS: '*',
    DATABASE_URL: 'mysql://x',
    NODE_ENV: 'production',
    JWT_SECRET: 'too-short',
  }
  await Promise.all(
    [['serve'], ['migrate'], ['grant', '--seller', 'a', '--credits', '1', '--key', 'k'], ['audit']].map(
      async (args) => {
        const finished = await run(folder, args, faults)
        assert.equal([finished.code, finished.out], [1, ''], args[0])
        const told = lines(finished.err)
          .slice(1)
          .map((line) => line.trim().split(':')[0])
        const named = Object.keys(faults).filter((name) => name !== 'NODE_ENV' && name !== 'INACTIVITY_WARNING_TIME')
        assert.equal(told.sort(), [...named, 'INACTIVITY_AUTO_END_TIME'].sort())
        assert.not.match(finished.err, 'too-short')
        assertNoStack(finished)
      },
    ),
  )
})

test('C: settings come from .env in the working directory too, and the environment wins', async () => {
  const own = commandFolder({ DATABASE_URL: undefined })
  try {
    writeFileSync(join(own.path, '.env'), 'DATABASE_URL=sqlite:from-env-file.db\nLOG_LEVEL=loud\n')
    const refused = await run(own, ['migrate'])
    assert.equal([refused.code, refused.out], [1, ''])
    assert.match(refused.err, /^tallylight: The configuration has a fault:\n {2}LOG_LEVEL: /)
    const migrated = await run(own, ['migrate'], { LOG_LEVEL: 'info' })
    assert.equal([migrated.code, migrated.out], [0, 'from-env-file.db: ran 0001-initial\n'])
  } finally {
    own.remove()
  }
})

test('C: migrate brings the database up to date, and again does nothing', async () => {
  const fresh = commandFolder()
  try {
    const first = await run(fresh, ['migrate'])
    assert.equal([first.code, first.out, first.err], [0, `${fresh.file}: ran 0001-initial\n`, ''])
    const second = await run(fresh, ['migrate'])
    assert.equal([second.code, second.out, second.err], [0, `${fresh.file} is up to date\n`, ''])
  } finally {
    fresh.remove()
  }
})

test.run()
