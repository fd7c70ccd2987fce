import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'uvu'
import { leftOut } from '../left-out.js'
import { freePort } from './free-port.js'
import { until } from './sockets.js'

/** The nginx that is installed; undefined where there is none. */
const nginxPath = ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/bin/nginx', '/opt/homebrew/bin/nginx'].find(
  (path) => existsSync(path),
)

/** Where a configuration sends nginx, in place of what it says. */
export interface Places {
  /** Ports on this machine, by the address that the configuration names: `server-1:3000`. */
  readonly upstreams: Readonly<Record<string, number>>
  /** What it listens on, as written in the configuration. */
  readonly listen: string
}

export interface Nginx {
  readonly url: string
  stop(): Promise<void>
}

interface Copy {
  readonly file: string
  readonly port: number
  remove(): void
}

/** The configuration in a folder of its own, changed only in its places: addresses, ports, logs, temporary files. */
async function copyOf(conf: string, { upstreams, listen }: Places): Promise<Copy> {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-nginx-'))
  // Its workers may run as another user.
  chmodSync(folder, 0o755)
  const port = await freePort()
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const changes: [from: string | RegExp, to: string][] = [
    ...Object.entries(upstreams).map(([name, at]): [string, string] => [name, `127.0.0.1:${at}`]),
    [`listen ${listen};`, `listen 127.0.0.1:${port};`],
    [/pid [^;]+;/, `pid ${join(folder, 'pid')};`],
    [/error_log \S+/, `error_log ${join(folder, 'error.log')}`],
    [/access_log \S+;/, `access_log ${join(folder, 'access.log')};`],
    ['http {', `http {\n${kinds.map((kind) => `  ${kind}_temp_path ${join(folder, kind)};`).join('\n')}`],
  ]
  let text = conf
  for (const [from, to] of changes) {
    const changed = text.replaceAll(typeof from === 'string' ? from : new RegExp(from, 'g'), to)
    if (changed === text) throw new Error(`The configuration does not say ${from}`)
    text = changed
  }
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, text)
  return { file, port, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** What `nginx -t` says. @throws where it refuses the configuration */
export async function checkConfiguration(conf: string, places: Places): Promise<string> {
  const copy = await copyOf(conf, places)
  try {
    const { stderr } = await promisify(execFile)(nginxPath ?? '', ['-t', '-c', copy.file])
    return stderr
  } finally {
    copy.remove()
  }
}

/** Starts it on a free loopback port, and resolves once it listens. */
export async function startNginx(conf: string, places: Places): Promise<Nginx> {
  const copy = await copyOf(conf, places)
  const child = spawn(nginxPath ?? '', ['-c', copy.file, '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const stop = async (): Promise<void> => {
    await ended(child)
    copy.remove()
  }
  try {
    await until(() => {
      if (child.exitCode !== null) throw new Error(`nginx ended: ${said}`)
      return answersOn(copy.port)
    }, 'nginx to listen')
  } catch (error) {
    await stop()
    throw error
  }
  return { url: `http://127.0.0.1:${copy.port}`, stop }
}

/** SIGTERM to the master, which ends its workers first. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

function answersOn(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(port, '127.0.0.1')
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false))
    probe.once('connect', () => probe.destroy())
  })
}

/** Tests that need nginx; where there is none they are left out, which the runner says. */
export function testWithNginx(tests: Readonly<Record<string, () => Promise<void>>>): void {
  for (const [title, body] of Object.entries(tests)) {
    if (nginxPath) test(title, body)
    else leftOut.push('no nginx was found')
  }
}
