import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readConfig } from '../server/config.js'

const readme = readFileSync('README.md', 'utf8')
const [, tour = ''] = /\n## A tour of five minutes\n([\s\S]*?)\n## /.exec(readme) ?? []

/** The code blocks of a language in the tour, in their order. */
function blocks(language: string): string[] {
  return [...tour.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, code = '']) => code)
}

test('the tour of the README works as it stands', async () => {
  const [start = '', ...steps] = blocks('sh')
  const [watch = ''] = blocks('js')
  assert.match(start, /npm start/)
  // A folder of its own, so that the tour meets no database of ours, with what a checkout has after `npm ci`.
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-readme-'))
  for (const name of ['node_modules', 'dist']) symlinkSync(join(process.cwd(), name), join(folder, name))
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
  const { start: startScript, tallylight } = scripts
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ type: 'module', scripts: { start: startScript, tallylight } }),
  )
  writeFileSync(join(folder, 'watch.mjs'), watch)
  // Only the port differs: another server may have the usual one.
  const port = String(20_000 + Math.floor(Math.random() * 20_000))
  const onPort = (script: string): string => script.replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`)
  writeFileSync(join(folder, 'watch.mjs'), onPort(watch))
  const server = spawn('bash', ['-c', start.replace('npm start', 'exec npm start')], {
    cwd: folder,
    env: { ...process.env, PORT: port },
    stdio: ['ignore', 'pipe', 'inherit'],
    // A group of its own, as a terminal makes one: Ctrl+C reaches npm and the server.
    detached: true,
  })
  try {
    await new Promise<void>((resolve) => {
      createInterface({ input: server.stdout }).on('line', (line) => {
        if (line.includes('listening on')) resolve()
      })
    })
    const script = `set -e\n${steps.map(onPort).join('\n')}\nsleep 1\nkill %1`
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: folder })
    for (const expected of [
      'granted 3 credits to ann',
      '"title":"My first stream"',
      'stream_started',
      'low_credit_warning',
    ]) {
      assert.ok(stdout.includes(expected), `${expected} in:\n${stdout}`)
    }
    assert.match(stdout, /Heartbeat recorded successfully/)
    assert.match(stdout, /audit clean/)
  } finally {
    const gone = once(server, 'exit')
    process.kill(-(server.pid ?? 0), 'SIGINT')
    await gone
    rmSync(folder, { recursive: true, force: true })
  }
})

test('the settings table of the README names the defaults', () => {
  const { policy, host, port, sweepIntervalMs, logLevel } = readConfig({})
  const minutes = (ms: number): string => `\`${ms / 60_000}m\``
  const row = (name: string): string => readme.split('\n').find((line) => line.startsWith(`| \`${name}\``)) ?? ''
  assert.ok(row('CREDIT_DEDUCTION_INTERVAL').includes(minutes(policy.intervalMs)))
  assert.ok(row('INACTIVITY_WARNING_TIME').includes(minutes(policy.warningMs)))
  assert.ok(row('INACTIVITY_AUTO_END_TIME').includes(minutes(policy.autoEndMs)))
  assert.ok(row('LOW_CREDIT_THRESHOLD').includes(`\`${policy.lowCreditThreshold}\``))
  assert.ok(row('SWEEP_INTERVAL').includes(`\`${(sweepIntervalMs ?? 0) / 1_000}s\``))
  assert.ok(row('HOST').includes(`\`${host}\`, \`${port}\``))
  assert.ok(row('LOG_LEVEL').includes(`\`${logLevel}\``))
})

test.run()
