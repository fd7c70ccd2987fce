import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TEST_SECRET } from './server.js'

const CLI = fileURLToPath(new URL('../../dist/server/cli.js', import.meta.url))

/** A folder of its own for the commands of a test: their working directory, with the database `test.db` in it. */
export interface CommandFolder {
  readonly path: string
  readonly file: string
  /** What the commands are started with; nothing of this process's own environment is. */
  readonly env: NodeJS.ProcessEnv
  /** What was started there and has not ended. */
  readonly running: Set<ChildProcess>
  /** Ends what still runs there, too. */
  remove(): void
}

export function commandFolder(env: NodeJS.ProcessEnv = {}): CommandFolder {
  const path = mkdtempSync(join(tmpdir(), 'tallylight-command-'))
  const running = new Set<ChildProcess>()
  const file = join(path, 'test.db')
  return {
    path,
    file,
    env: { DATABASE_URL: `sqlite:${file}`, JWT_SECRET: TEST_SECRET, PORT: '0', ...env },
    running,
    remove() {
      // Where a test failed midway, they would hold it up for as long as they serve.
      for (const child of running) child.kill('SIGKILL')
      rmSync(path, { recursive: true, force: true })
    },
  }
}

export interface Finished {
  /** Null where a signal ended it. */
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly process: ChildProcess
  readonly finished: Promise<Finished>
  /** Resolves with the first match in what it has printed. @throws when it ends without, or after 15 s */
  printed(pattern: RegExp): Promise<RegExpExecArray>
}

/** Starts the built command line: `npm test` builds it first. */
export function start(
  { path, env, running }: CommandFolder,
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
): Running {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: path,
    env: { PATH: process.env['PATH'], ...env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { out: '', err: '' }
  const collect = (stream: 'out' | 'err') => (text: string) => {
    output[stream] += text
    child.emit('printed')
  }
  child.stdout.setEncoding('utf8').on('data', collect('out'))
  child.stderr.setEncoding('utf8').on('data', collect('err'))
  running.add(child)
  child.once('close', () => running.delete(child))
  const closed = once(child, 'close') as Promise<[number | null]>
  return {
    process: child,
    finished: closed.then(([code]) => ({ code, ...output })),
    async printed(pattern) {
      const ended = closed.then(() => 'ended')
      const limit = AbortSignal.timeout(15_000)
      for (;;) {
        const match = pattern.exec(output.out)
        if (match) return match
        const next = await Promise.race([once(child, 'printed', { signal: limit }), ended])
        if (next === 'ended' && !pattern.test(output.out)) {
          throw new Error(`It ended before it printed ${pattern}: ${output.out}${output.err}`)
        }
      }
    },
  }
}

/** Runs a command to its end. */
export function run(folder: CommandFolder, args: readonly string[], more?: NodeJS.ProcessEnv): Promise<Finished> {
  return start(folder, args, more).finished
}

export interface Served extends Running {
  readonly url: string
  /** Stops it gracefully, and tells how it ended. */
  stop(): Promise<Finished>
}

/** Starts `serve`, and resolves once it listens. */
export async function serve(folder: CommandFolder, more?: NodeJS.ProcessEnv): Promise<Served> {
  const running = start(folder, ['serve'], more)
  const [, url = ''] = await running.printed(/listening on (http:\/\/[^"\s]+)/)
  return {
    ...running,
    url,
    stop() {
      running.process.kill('SIGTERM')
      return running.finished
    },
  }
}
