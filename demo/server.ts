import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const cli = fileURLToPath(new URL('../dist/server/cli.js', import.meta.url))

export interface DemoServer {
  readonly url: string
  readonly env: Record<string, string>
  stop(): Promise<void>
}

/** Runs a command of the program, as `npx tallylight COMMAND` would, and returns what it prints. */
export async function runCommand(args: string[], env: Record<string, string>): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], { env: { ...process.env, ...env } })
  return stdout
}

/** Starts the built server as a process of its own, and resolves once it listens. */
export async function startServer(env: Record<string, string>): Promise<DemoServer> {
  const child = spawn(process.execPath, [cli, 'serve'], {
    env: { ...process.env, ...env, LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await listeningUrl(child)
  return {
    url,
    env,
    async stop() {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    },
  }
}

function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server stopped with exit code ${code}`)))
    if (!child.stdout) return reject(new Error('the server has no output'))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /listening on (http:\S+?)"/.exec(line)
      if (found?.[1]) resolve(found[1])
    })
  })
}
