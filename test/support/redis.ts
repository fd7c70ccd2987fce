import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.js'

/** Whether there is a redis-server to start. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

export const NO_REDIS = 'no redis-server was found (on Debian: apt-get install redis-server)'

export interface TestRedis {
  readonly url: string
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>
  /** Starts it again, on the same port and empty. */
  start(): Promise<void>
}

/** A real Redis on a free port, with nothing on disk. */
export async function startRedis(): Promise<TestRedis> {
  const port = await freePort()
  let server: ChildProcess

  async function start(): Promise<void> {
    const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    server = spawn('redis-server', args, { stdio: 'ignore' })
    while (!(await answers(port))) await sleep(20)
  }

  await start()
  process.on('exit', () => server.kill('SIGKILL'))
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    async kill() {
      if (server.exitCode !== null || server.signalCode !== null) return
      server.kill('SIGKILL')
      await once(server, 'exit')
    },
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
