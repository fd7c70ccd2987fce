import * as assert from 'uvu/assert'
import type { Instant } from '../../server/domain/instant.js'
import { dueAt } from '../../server/domain/run.js'
import { type Act, type History, TICK_MS } from './history.js'
import {
  batchedHeartbeat,
  commandAct,
  fitsBatch,
  liveRuns,
  monitorLook,
  newWorld,
  serverAct,
  serverLook,
  stamp,
  type World,
} from './world.js'

/** What B4 holds equal: an act with the instant at which it happened. */
export interface Fact {
  readonly at: Instant
  readonly act: Act
  /** Whether a server stamped first. */
  readonly stamped: boolean
  /** Whether this is a command that finds that it has to wait (A5), and so nothing happens. */
  readonly waits: boolean
}

/** When somebody looks though nothing is done: asked at every stamp of a server, and between all acts for monitors. */
export interface Looks {
  readonly server: () => boolean
  readonly monitor: () => boolean
}

const NEVER: Looks = { server: () => false, monitor: () => false }

interface Asked {
  readonly at: Instant
  readonly act: Act
}

/** The stamps and acts of a history in time order. */
function unroll(history: History): Asked[] {
  const asked: Asked[] = [{ at: 0, act: { kind: 'stamp' } }]
  let at = 0
  for (const { pauseTicks, stampEveryTicks, act } of history) {
    for (let tick = stampEveryTicks ?? Number.POSITIVE_INFINITY; tick <= pauseTicks; tick += stampEveryTicks ?? 1) {
      asked.push({ at: at + tick * TICK_MS, act: { kind: 'stamp' } })
    }
    at += pauseTicks * TICK_MS
    asked.push({ at, act })
  }
  return asked
}

const isCommand = (act: Act) => act.kind === 'credits' && act.by === 'command'

/** Calls `visit` with every tick up to the last item, and with the items of that tick. */
export function eachTick<T extends { at: Instant }>(
  items: readonly T[],
  visit: (now: Instant, items: T[]) => void,
): void {
  const until = items.at(-1)?.at ?? 0
  let next = 0
  for (let now = 0; now <= until; now += TICK_MS) {
    const first = next
    while (items[next]?.at === now) next += 1
    visit(now, items.slice(first, next))
  }
}

/**
 * Lives through a history once without a look, to learn what B4 calls its facts: when commands that had to wait were
 * done, and which heartbeats were settled and therefore stamped.
 */
export function factsOf(history: History): Fact[] {
  const world = newWorld()
  const facts: Fact[] = []
  let waiting: Act[] = []
  const retry = (now: Instant) => {
    waiting = waiting.filter((act) => {
      const waits = !commandAct(world, now, act)
      facts.push({ at: now, act, stamped: false, waits })
      return waits
    })
  }
  eachTick(unroll(history), (now, asked) => {
    retry(now)
    for (const { act } of asked) {
      if (isCommand(act)) {
        waiting.push(act)
      } else {
        const stamped = act.kind !== 'heartbeat' || !fitsBatch(world, now, act.livestreamId)
        const fact: Fact = { at: now, act, stamped, waits: false }
        facts.push(fact)
        happen(world, fact, NEVER)
      }
      // The stamp of a server may have been what a command waited for.
      retry(now)
    }
  })
  return facts
}

function happen(world: World, { at, act, stamped, waits }: Fact, looks: Looks): void {
  if (stamped) {
    stamp(world, at)
    if (looks.server()) lookAsServer(world)
  }
  if (act.kind === 'stamp') return
  if (isCommand(act)) {
    assert.is(commandAct(world, at, act), !waits, 'A5: whether a command waits does not depend on who looked')
  } else if (act.kind === 'heartbeat') {
    heartbeat(world, at, act, stamped)
  } else {
    serverAct(world, at, act)
  }
}

function heartbeat(world: World, now: Instant, act: Act & { kind: 'heartbeat' }, stamped: boolean): void {
  // A stored due instant can be older here than it was when the facts were made. A server would settle, and stamp, which
  // would be another fact; so somebody looks who never stamps, and then nothing can be due.
  if (!stamped && !fitsBatch(world, now, act.livestreamId)) monitorLook(world, now)
  if (fitsBatch(world, now, act.livestreamId)) {
    batchedHeartbeat(world, now, act)
  } else {
    assert.ok(stamped, 'A7: a heartbeat that has to be settled has to be settled under all looks')
    serverAct(world, now, act)
  }
}

function lookAsServer(world: World): void {
  serverLook(world)
  for (const run of liveRuns(world)) {
    assert.ok(dueAt(run) > world.lastStamp, `run ${run.id} is due at ${dueAt(run)}, and that is settled`)
  }
}

/** The same facts, looked at in another way. The last fact is a stamp, and the last look is at it. */
export function replay(facts: readonly Fact[], looks: Looks): World {
  const world = newWorld()
  eachTick(facts, (now, happening) => {
    if (looks.monitor()) monitorLook(world, now)
    for (const fact of happening) {
      happen(world, fact, looks)
      if (looks.monitor()) monitorLook(world, now)
    }
  })
  lookAsServer(world)
  return world
}
