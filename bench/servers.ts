import { type ChildProcess, spawn } from 'node:child_process'
import { createSecretKey } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import jwt from 'jsonwebtoken'
import type { BareRoute } from './express-server.js'
import { AS_BUILT } from './worker.js'

export interface BenchSeller {
  readonly token: string
  readonly livestreamId: string
}

export interface BenchServer {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

export const SECRET = 'a secret for the benchmarks of Tallylight'
/** As a text it would be tried as a private key first, at every token. */
const KEY = createSecretKey(Buffer.from(SECRET))
const cli = fileURLToPath(new URL('../dist/server/cli.js', import.meta.url))
const echo = fileURLToPath(new URL('./echo-server.ts', import.meta.url))
const byHand = fileURLToPath(new URL('./by-hand-server.ts', import.meta.url))
const bareExpress = fileURLToPath(new URL('./express-server.ts', import.meta.url))

/** A token that the servers here accept. */
export const sign = (sub: string, role: string): string => jwt.sign({ sub, role }, KEY, { expiresIn: '1h' })

/** What our server answers a heartbeat with, so that others can answer the same. */
export interface Answer {
  readonly headers: Record<string, string>
  readonly body: string
}

/** A server that does next to nothing with a heartbeat, and answers the same (echo-server.ts). */
export async function startEcho(
  kind: 'socket.io' | 'synced' | 'subscribing' | 'ws' | 'http' | 'synced http' | 'express',
  answer: Answer,
): Promise<BenchServer> {
  return startBare(echo, [kind], { BENCH_ANSWER: JSON.stringify(answer) })
}

/** The least that can be done with our tables, on an SQLite database of ours (by-hand-server.ts). */
export async function startByHand(kind: 'http' | 'socket.io', file: string, answer: Answer): Promise<BenchServer> {
  return startBare(byHand, [kind, file], { BENCH_ANSWER: JSON.stringify(answer) })
}

/** Express with a token check and one read of the accounts in an SQLite file, which answers what it is given (express-server.ts). */
export async function startExpress(file: string, routes: readonly BareRoute[]): Promise<BenchServer> {
  return startBare(bareExpress, [file], { BENCH_ANSWERS: JSON.stringify(routes) })
}

async function startBare(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<BenchServer> {
  const child = spawn(process.execPath, [...AS_BUILT, program, ...args], {
    env: { ...process.env, NODE_ENV: 'production', BENCH_SECRET: SECRET, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return { url: await listeningUrl(child), pid: child.pid ?? 0, stop: () => stop(child) }
}

/** Node writes these itself. */
const OF_THE_CONNECTION = ['connection', 'date', 'keep-alive']

/** One heartbeat over REST. */
export async function answerOf(url: string, { token, livestreamId }: BenchSeller): Promise<Answer> {
  const response = await send(url, 'POST', `/api/livestreams/${livestreamId}/heartbeat/`, token)
  const headers = [...response.headers].filter(([name]) => !OF_THE_CONNECTION.includes(name))
  return { headers: Object.fromEntries(headers), body: await response.text() }
}

/** The built server on a database in a folder of its own, which `prepare` may fill first. */
export async function startBuilt(prepare?: (file: string) => Promise<void>): Promise<BenchServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))
  await prepare?.(join(folder, 'bench.db'))
  const child = spawn(process.execPath, [...(process.env['BENCH_NODE_ARGS']?.split(' ') ?? []), cli, 'serve'], {
    env: {
      ...process.env,
      PORT: '0',
      DATABASE_URL: `sqlite:${join(folder, 'bench.db')}`,
      JWT_SECRET: SECRET,
      LOG_LEVEL: 'info',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return {
    url: await listeningUrl(child),
    pid: child.pid ?? 0,
    async stop() {
      await stop(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The same, with as many sellers, each with a livestream that is live. */
export async function startTallylight(
  sellers: number,
  prepare?: (file: string) => Promise<void>,
): Promise<BenchServer & { readonly sellers: readonly BenchSeller[] }> {
  const server = await startBuilt(prepare)
  const { url } = server
  const live = manySellers(sellers)
  for (let from = 0; from < live.length; from += 100) {
    await Promise.all(
      live.slice(from, from + 100).map((seller, index) => goLive(url, seller, `seller-${from + index}`)),
    )
  }
  return { ...server, sellers: live }
}

function manySellers(count: number): BenchSeller[] {
  return Array.from({ length: count }, (_, index) => ({
    token: sign(`seller-${index}`, 'seller'),
    livestreamId: `livestream-of-seller-${index}`,
  }))
}

async function goLive(url: string, { token, livestreamId }: BenchSeller, sellerId: string): Promise<void> {
  const service = sign('bench', 'service')
  await send(url, 'POST', '/api/livestreams/', service, { title: 'bench', id: livestreamId, seller_id: sellerId })
  await send(url, 'POST', `/api/sellers/${sellerId}/credits/`, service, { amount: 100 })
  await send(url, 'PATCH', `/api/livestreams/start/${livestreamId}/`, token)
}

export async function send(
  url: string,
  method: string,
  path: string,
  token: string,
  body?: object,
  key = 'bench',
): Promise<Response> {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'idempotency-key': key },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  return response
}

/** Resolves with the address that a server prints once it listens. */
export function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server stopped with exit code ${code}`)))
    if (!child.stdout) {
      reject(new Error('the server has no output'))
      return
    }
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /listening on (http:\S+?)"/.exec(line)
      if (found?.[1]) resolve(found[1])
    })
  })
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await gone
}
