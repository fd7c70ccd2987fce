import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../dist/server/cli.js', import.meta.url))

/** A server as people run it, that is killed and started again. */
export interface ServerProcess {
  /** Where it listens; undefined while it does not. */
  port(): number | undefined
  start(): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** Ends it at once, and waits until it is gone. */
  kill(): Promise<void>
}

export function serverProcess(env: NodeJS.ProcessEnv, onLine: (line: string) => void): ServerProcess {
  let child: ChildProcess | undefined
  let port: number | undefined
  // Whatever ends this process, ends what it started.
  process.on('exit', () => child?.kill('SIGKILL'))
  return {
    port: () => port,
    async start() {
      const started = spawn(process.execPath, [CLI, 'serve'], {
        env: { PATH: process.env['PATH'], NODE_ENV: 'production', PORT: '0', LOG_LEVEL: 'info', ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      child = started
      started.once('exit', () => {
        if (child === started) port = undefined
      })
      await new Promise<void>((resolve, reject) => {
        started.once('exit', (code) => reject(new Error(`a server ended with ${code} before it listened`)))
        createInterface({ input: started.stdout as NodeJS.ReadableStream }).on('line', (line) => {
          onLine(line)
          const [, found] = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? []
          if (!found) return
          port = Number(found)
          resolve()
        })
      })
    },
    signal(signal) {
      child?.kill(signal)
    },
    async kill() {
      const dying = child
      if (!dying || dying.exitCode !== null || dying.signalCode !== null) return
      dying.kill('SIGKILL')
      await once(dying, 'exit')
    },
  }
}
