import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listeningUrl } from './servers.js'

// From the start of the built server's process to listening: on a fresh database, and on one that is there.
//   npm run bench:startup

const cli = fileURLToPath(new URL('../dist/server/cli.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))

async function startOnce(): Promise<number> {
  const began = performance.now()
  const child = spawn(process.execPath, [cli, 'serve'], {
    env: { ...process.env, PORT: '0', DATABASE_URL: `sqlite:${join(folder, 'bench.db')}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await listeningUrl(child)
  const tookMs = performance.now() - began
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await gone
  return tookMs
}

const fresh = await startOnce()
const again: number[] = []
for (let round = 0; round < 5; round += 1) again.push(await startOnce())
rmSync(folder, { recursive: true, force: true })
const list = again.map((ms) => ms.toFixed(0)).join(', ')
console.log(`fresh database: ${fresh.toFixed(0)} ms; existing database: ${list} ms (target: under 1,000 ms)`)
