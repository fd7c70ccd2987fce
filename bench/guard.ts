import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median, RESULTS, RESULTS_VARIABLE, type SavedResult, type Target } from './result.js'
import { AS_BUILT } from './worker.js'

// Whether a change made anything much slower: short forms of the benchmarks, whose ratios are held against those that are committed.
// Machines differ and these turns are short, so the bounds are generous: what is told is worth a look, and `npm run bench`.
//   npm run bench:guard

/** How much worse than the committed ratio one may be, as a factor. */
const SLACK = 2
/** One form that hangs must not hold up the others for long. */
const LIMIT_MS = 60_000
const SHORT_FORMS = [
  { name: 'heartbeat', options: ['0.5', '3', 'few'] },
  { name: 'routes', options: ['0.4', '1'] },
  { name: 'push', options: ['--sockets', '2000', '--rounds', '9'] },
  { name: 'charging', options: ['sqlite', '--live', '100000', '--pairs', '1'] },
]

/** Returns what went wrong, or null. */
async function run(name: string, options: readonly string[], results: string): Promise<string | null> {
  // A process group of its own, so that the servers that it started end with it.
  const child = spawn(process.execPath, [...AS_BUILT, `bench/${name}.ts`, ...options], {
    env: { ...process.env, [RESULTS_VARIABLE]: results },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
  }
  const endAll = (): void => void (child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'))
  const limit = setTimeout(endAll, LIMIT_MS)
  const interrupted = (): void => {
    endAll()
    rmSync(results, { recursive: true, force: true })
    process.exit(130)
  }
  process.once('SIGINT', interrupted)
  const [code, signal] = await once(child, 'exit')
  clearTimeout(limit)
  process.off('SIGINT', interrupted)
  return code === 0 ? null : `${signal ?? `exit code ${code}`}\n${printed.trimEnd().split('\n').slice(-15).join('\n')}`
}

function targetsIn(folder: string): Target[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .flatMap((file) => (JSON.parse(readFileSync(join(folder, file), 'utf8')) as SavedResult).targets)
}

/** Short forms say the same of other numbers. */
const inGeneral = ({ what }: Target): string => what.replace(/\d[\d,]*/g, 'n')

/** How much worse than the committed one; below 1 where it is better. */
function worse(now: Target, committed: Target): number {
  const ratio = median(now.measured) / median(committed.measured)
  return now.bound === 'at most' ? ratio : 1 / ratio
}

const results = mkdtempSync(join(tmpdir(), 'tallylight-guard-'))
const faults: string[] = []
try {
  for (const { name, options } of SHORT_FORMS) {
    const began = performance.now()
    const wrong = await run(name, options, results)
    console.log(`bench:${name} ${options.join(' ')}: ${((performance.now() - began) / 1_000).toFixed(0)} s`)
    if (wrong !== null) faults.push(`bench:${name} did not end well: ${wrong}`)
  }
  const committed = targetsIn(RESULTS)
  for (const target of targetsIn(results)) {
    // Times say more of the machine than of the program.
    if (target.unit !== undefined) continue
    const at = committed.findIndex((one) => inGeneral(one) === inGeneral(target))
    const [before] = at < 0 ? [] : committed.splice(at, 1)
    if (!before) continue
    const by = worse(target, before)
    const values = `${median(target.measured).toFixed(2)}, committed ${median(before.measured).toFixed(2)}`
    console.log(`${by > SLACK ? 'WORSE' : 'ok   '}  ${values}  ${target.what}`)
    if (by > SLACK) faults.push(`${by.toFixed(1)} times worse than committed: ${target.what}`)
  }
} finally {
  rmSync(results, { recursive: true, force: true })
}
for (const fault of faults) console.log(`\n${fault}`)
console.log(
  faults.length === 0 ? '\nNothing got much slower.' : '\nSomething may have got slower: npm run bench says more.',
)
process.exitCode = faults.length === 0 ? 0 : 1
