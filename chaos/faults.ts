import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultyWire } from '../test/support/faulty-wire.js'
import type { TestPostgres } from '../test/support/postgres.js'
import type { TestRedis } from '../test/support/redis.js'
import type { ServerProcess } from './server-process.js'

/** Something that goes wrong, and is put right again. */
export interface Fault {
  readonly name: string
  /** How often it has happened. */
  count: number
  happen(): Promise<void>
}

export interface Victims {
  readonly servers: readonly ServerProcess[]
  readonly postgres: TestPostgres
  readonly redis: TestRedis | null
  /** What is cut when the network is. */
  readonly wires: readonly FaultyWire[]
}

export function allFaults({ servers, postgres, redis, wires }: Victims): Fault[] {
  const faults: Fault[] = []
  const add = (name: string, happen: () => Promise<void>) => faults.push({ name, count: 0, happen })
  add(KILLED, async () => {
    const server = any(servers)
    await server.kill()
    await pause(500, 3_500)
    await server.start()
  })
  add('servers stopped', async () => {
    const server = any(servers)
    server.signal('SIGSTOP')
    await pause(1_000, 6_000)
    server.signal('SIGCONT')
  })
  add('PostgreSQL restarted', () => postgres.restart())
  if (redis) {
    add('Redis killed', async () => {
      await redis.kill()
      await pause(500, 3_500)
      await redis.start()
    })
  }
  add('network cut', async () => {
    for (const wire of wires) wire.cut()
    await pause(1_000, 7_000)
    for (const wire of wires) wire.mend()
  })
  return faults
}

/** All of them in a random order, and again in another, without end; servers are killed more often than the rest. */
export function* inAnyOrder(faults: readonly Fault[]): Generator<Fault, never> {
  for (;;) {
    const left = [...faults, ...faults.filter(({ name }) => name === KILLED)]
    while (left.length > 0) yield* left.splice(Math.floor(Math.random() * left.length), 1)
  }
}

export const tell = (faults: readonly Fault[]): string => faults.map(({ name, count }) => `${count} ${name}`).join(', ')

const KILLED = 'servers killed'
const any = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)] as T
const pause = (fromMs: number, toMs: number) => sleep(fromMs + Math.random() * (toMs - fromMs))
