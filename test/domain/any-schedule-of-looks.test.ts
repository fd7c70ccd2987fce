import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Fact, factsOf, type Looks, replay } from './facts.js'
import { type History, histories } from './history.js'
import { checkWorld } from './invariants.js'
import { holds } from './property.js'
import { type Notice, type Story, tell } from './reference.js'
import type { World } from './world.js'

/** `FC_RUNS=200000` lives through more of them. */
const RUNS = 400

const always = () => true
const never = () => false

/** Says yes now and then, the same for the same seed (xorshift32: George Marsaglia, "Xorshift RNGs", 2003). */
function atRandom(seed: number, chance: number): () => boolean {
  let state = seed === 0 ? 1 : seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32 < chance
  }
}

function schedules(seed: number): Record<string, Looks> {
  return {
    'one late look': { server: never, monitor: never },
    'a look at every tick': { server: always, monitor: always },
    'servers at every stamp': { server: always, monitor: never },
    'a monitor at every tick': { server: never, monitor: always },
    'rare looks': { server: atRandom(seed, 0.1), monitor: atRandom(seed ^ 1, 0.05) },
    'many looks': { server: atRandom(seed ^ 2, 0.5), monitor: atRandom(seed ^ 3, 0.5) },
  }
}

/** What B4 promises to be the same under any schedule of looks. */
function toldBy({ account, ledger, runs, refusals }: World) {
  return {
    balance: account.balance,
    ledger: ledger.map(({ kind, amount, balanceAfter, interval, occurredAt }) => ({
      kind,
      amount,
      balanceAfter,
      runId: interval?.runId ?? null,
      interval: interval?.intervalIndex ?? null,
      at: occurredAt,
    })),
    runs: [...runs.values()].map(({ run }) =>
      run.state === 'ended'
        ? { id: run.id, end: { at: run.endedAt, reason: run.endReason } }
        : {
            id: run.id,
            silentSince: run.silentSince,
            warned: run.warnedAt !== null,
            lastActivityAt: run.lastActivityAt,
          },
    ),
    refusals,
  }
}

function expectedBy({ balance, lines, runs, refusals }: Story): ReturnType<typeof toldBy> {
  return {
    balance,
    ledger: lines,
    runs: runs.map(({ id, end, silentSince, warned, lastActivityAt }) =>
      end ? { id, end } : { id, silentSince, warned, lastActivityAt },
    ),
    refusals,
  }
}

function noticesOf({ events }: World): Notice[] {
  return events.flatMap((event): Notice[] => {
    const about = { runId: event.payload.run_id, at: event.at }
    if (event.kind === 'low_credit_warning') return [{ kind: event.payload.final ? 'final' : 'low', ...about }]
    if (event.kind === 'inactivity_warning') return [{ kind: 'warned', ...about }]
    return event.kind === 'inactivity_cleared' ? [{ kind: 'cleared', ...about }] : []
  })
}

/** Notices of one instant may come in any order here; V4 is held for each transaction. */
const sorted = (notices: readonly Notice[]) => notices.map((notice) => JSON.stringify(notice)).sort()

/** Tells what failed with uvu's own diff and the facts, which fast-check does not know. */
function explained(what: string, facts: readonly Fact[], check: () => void): void {
  try {
    check()
  } catch (error) {
    const diff = error instanceof assert.Assertion ? error.details : ''
    throw new Error([what, error, diff, ...facts.map((fact) => JSON.stringify(fact))].join('\n'), { cause: error })
  }
}

test('B4, B3, B5, B6, B7, B10, B12, A2, A5, E3, E4, V1, V2, V4: any schedule of looks tells what the reference tells', () => {
  const property = fc.property(histories, fc.integer(), (history, seed) => {
    const facts = factsOf(history)
    const expected = expectedBy(tell(facts))
    for (const [schedule, looks] of Object.entries(schedules(seed))) {
      explained(schedule, facts, () => {
        const world = replay(facts, looks)
        assert.equal(toldBy(world), expected)
        checkWorld(world)
      })
    }
  })
  holds(property, RUNS)
})

test('B9, A3: who looks at every tick is warned of everything, once, and when it becomes true', () => {
  const stampedAtEveryTick = histories.map(
    (history): History => history.map((step) => ({ ...step, stampEveryTicks: 1 })),
  )
  const property = fc.property(stampedAtEveryTick, (history) => {
    const facts = factsOf(history)
    explained('a look at every tick', facts, () => {
      const world = replay(facts, { server: always, monitor: never })
      assert.equal(sorted(noticesOf(world)), sorted(tell(facts).notices))
    })
  })
  holds(property, RUNS)
})

test.run()
