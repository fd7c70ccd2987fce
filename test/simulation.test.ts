import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { SellerBooks } from '../simulation/books.js'
import { type Databases, makeDatabases } from '../simulation/database.js'
import type { Fact, Facts } from '../simulation/facts.js'
import { type History, longHistory, type SellerAct, unroll, type WorldAct } from '../simulation/history.js'
import { judge, judgePlayed, type Spoiling, wrongThings } from '../simulation/judge.js'
import { type Played, play } from '../simulation/play.js'
import { shortest } from '../simulation/shortest.js'

// `npm run simulate` lives through much more; here are a few hours of it, and proof that its auditor finds faults.

const SIZES = { hours: 12, sellers: 10, nodes: 3 }
const SEEDS = [11, 12, 13, 14]
const SHRINK_LIMIT_MS = 120_000

const MINUTE = 60_000

let databases: Databases
/** `LIFE`, once it was lived. */
let life: Played
test.before(async () => {
  databases = await makeDatabases()
  life = await play(LIFE, databases.fresh())
})
test.after(async () => {
  await life.cluster.close()
  await databases.close()
})

test('B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, A1, A2, A3, A4, A5, A7, E1, E2, E3, E4, V1, V4: random lives are as the auditor tells them', async () => {
  for (const seed of SEEDS) {
    const verdict = await judge(longHistory(SIZES, seed), databases)
    const again = `npm run simulate -- --seed ${seed} --hours ${SIZES.hours} --sellers ${SIZES.sellers} --nodes ${SIZES.nodes}`
    assert.equal(wrongThings(verdict), [], again)
    assert.ok((verdict.totals['deductions'] ?? 0) > 0, `so little happened that nothing is shown: ${again}`)
  }
})

/** A step after so many minutes. */
function step(minutes: number, act: SellerAct) {
  return { pauseMs: minutes * MINUTE, roundUpToMs: 1, act, node: 0, crashAfter: null }
}

function worldStep(minutes: number, act: WorldAct) {
  return { pauseMs: minutes * MINUTE, roundUpToMs: 1, act, crashAfter: null }
}

const show = { kind: 'start', stream: 0, timeScale: 1, everyMs: 5 * MINUTE, endsBy: 'seller' } as const

/**
 * Paid from 00:00 to 01:31, with a heartbeat every five minutes and an outage from 00:40 to 00:42, and given back one
 * interval; live again at 01:40, warned at 01:50 and back at 01:52, warned again at 02:02 and gone at 02:07; out of
 * credits at 03:40.
 */
const LIFE: History = {
  nodes: 1,
  untilMs: 240 * MINUTE,
  world: [worldStep(40, { kind: 'outage', leadMs: 0, ms: 2 * MINUTE, how: 'killed', justStamped: false, looks: 1 })],
  sellers: [
    [
      step(0, { kind: 'move', amount: 6, key: 'new', through: 'server' }),
      step(0, { kind: 'move', amount: 6, key: 'again', through: 'server' }),
      step(0, { ...show, times: 18, endsAfterMs: MINUTE }),
      step(0, { kind: 'refund', back: 0, fault: 'none' }),
      step(9, { ...show, times: 0, endsAfterMs: null }),
      step(12, { kind: 'ping', stream: 0, by: 'seller' }),
      step(48, { kind: 'move', amount: -1, key: 'new', through: 'server' }),
      step(30, { ...show, times: 11, endsAfterMs: null }),
    ],
  ],
}

async function wrongWith(options: Spoiling): Promise<string[]> {
  return wrongThings(await judgePlayed(life, options))
}

/** Changes what the database said of the only seller. */
function booksWith(change: (books: SellerBooks) => Partial<SellerBooks>): Spoiling {
  return { spoilBooks: (books) => ({ ...books, ...change(books) }) }
}

/** Changes what was written down about the only seller. */
function factsWith(change: (facts: readonly Fact[]) => readonly Fact[]): Spoiling {
  return {
    spoilFacts: (facts) => ({ ...facts, sellers: new Map([...facts.sellers].map(([id, own]) => [id, change(own)])) }),
  }
}

function factsButFor(change: Partial<Facts>): Spoiling {
  return { spoilFacts: (facts) => ({ ...facts, ...change }) }
}

function without<T>(all: readonly T[], isIt: (one: T) => boolean): T[] {
  const at = all.findLastIndex(isIt)
  assert.ok(at >= 0, 'there is none to leave out')
  return all.filter((_, index) => index !== at)
}

function changed<T>(all: readonly T[], isIt: (one: T) => boolean, change: Partial<T>): T[] {
  const at = all.findLastIndex(isIt)
  assert.ok(at >= 0, 'there is none to change')
  return all.map((one, index) => (index === at ? { ...one, ...change } : one))
}

test('simulation: nothing is wrong with the life that the next tests spoil', async () => {
  const verdict = await judgePlayed(life)
  assert.equal(wrongThings(verdict), [])
  assert.equal(
    ['deductions', 'refunds', 'adjustments', 'ended: seller', 'ended: inactivity', 'outages'].map(
      (name) => verdict.totals[name],
    ),
    [6, 1, 1, 1, 1, 1],
  )
  assert.is(verdict.totals['ended: credits_exhausted'], 1)
})

const spoilt: [what: string, options: Spoiling, told: RegExp][] = [
  [
    'a deduction that is missing',
    booksWith(({ entries }) => ({ entries: without(entries, ({ kind }) => kind === 'deduction') })),
    /entry \d+ should be/,
  ],
  [
    'a deduction that is there twice',
    booksWith(({ entries }) => ({
      entries: entries.flatMap((entry) => (entry.interval === 1 ? [entry, entry] : [entry])),
    })),
    /entry \d+ should be/,
  ],
  [
    'a deduction that is dated when somebody looked',
    booksWith(({ entries }) => ({
      entries: changed(entries, ({ interval }) => interval === 1, { at: Date.UTC(2026, 0, 1, 2, 10, 3) }),
    })),
    /entry \d+ should be/,
  ],
  ['a wrong balance', booksWith(({ balance }) => ({ balance: balance + 1 })), /the balance is 1, not 0/],
  [
    'an end with another reason',
    booksWith(({ runs }) => ({ runs: changed(runs, ({ reason }) => reason === 'inactivity', { reason: 'operator' }) })),
    /run 2 should be/,
  ],
  [
    'an end that is a millisecond late',
    booksWith(({ runs }) => ({
      runs: changed(runs, ({ endedAt }) => endedAt !== null, { endedAt: Date.UTC(2026, 0, 1, 3, 40, 0, 1) }),
    })),
    /run 3 should be/,
  ],
  [
    'a run that nobody started',
    booksWith(({ runs }) => ({ runs: [...runs, ...runs.slice(-1).map((run) => ({ ...run, runId: 99 }))] })),
    /run 4 should be "none"/,
  ],
  ...(
    [
      'credit_update',
      'stream_started',
      'stream_ended',
      'inactivity_warning',
      'inactivity_cleared',
      'low_credit_warning',
    ] as const
  ).map((kind): [string, Spoiling, RegExp] => [
    `a ${kind} that is missing`,
    booksWith(({ events }) => ({ events: without(events, (event) => event.kind === kind) })),
    /told/,
  ]),
  [
    'a warning for no reason',
    booksWith(({ events }) => ({
      events: events.map((event) => (event.kind === 'inactivity_warning' ? { ...event, at: event.at + 1 } : event)),
    })),
    /told without cause/,
  ],
  [
    'a final interval that is told twice',
    booksWith(({ events }) => ({
      events: events.flatMap((event) => (event.payload.final === true ? [event, event] : [event])),
    })),
    /told twice/,
  ],
  [
    'an event after the end of its run',
    booksWith(({ events }) => ({
      events: [...events, ...events.filter(({ kind }) => kind === 'inactivity_warning').slice(-1)],
    })),
    /E4/,
  ],
  [
    'a heartbeat that was lost',
    factsWith((facts) => without(facts, ({ asked, answer }) => asked.kind === 'ping' && answer.kind === 'heard')),
    /run \d should be/,
  ],
  ['a grant that nobody made', factsWith((facts) => facts.slice(1)), /should be/],
  [
    'a grant made twice by one key',
    factsWith((facts) =>
      facts.map((fact) =>
        fact.answer.kind === 'moved' ? { ...fact, answer: { ...fact.answer, created: true } } : fact,
      ),
    ),
    /should be answered/,
  ],
  [
    'a run with other settings',
    factsWith((facts) =>
      facts.map((fact) =>
        fact.asked.kind === 'start'
          ? { ...fact, asked: { ...fact.asked, settings: { ...fact.asked.settings, autoEndMs: 14 * MINUTE } } }
          : fact,
      ),
    ),
    /run 2 should be/,
  ],
  [
    'a warning that came late',
    {
      spoilFacts: (facts) => ({
        ...facts,
        written: new Map([...facts.written].map(([id, all]) => [id, all.map((one) => ({ ...one, at: one.at + 1 }))])),
      }),
    },
    /inactivity_warning of .* was told late/,
  ],
  [
    'events of one transaction in another order',
    {
      spoilFacts: (facts) => ({
        ...facts,
        written: new Map(
          [...facts.written].map(([id, all]) => [id, all.map((one) => ({ ...one, kinds: one.kinds.toReversed() }))]),
        ),
      }),
    },
    /V4/,
  ],
  [
    'an outage that was none',
    factsButFor({ stamped: [{ from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 0, 1, 4) }] }),
    /A5: the outages are/,
  ],
]
for (const [what, options, told] of spoilt) {
  test(`simulation: the auditor finds ${what}`, async () => {
    assert.match((await wrongWith(options)).join('\n'), told)
  })
}

test('simulation: what is wrong is shown by the shortest history', async () => {
  const history = longHistory({ hours: 6, sellers: 8, nodes: 3 }, 11)
  // As if the program ended runs without being asked to.
  const options = factsWith((facts) => facts.filter(({ answer }) => answer.kind !== 'ended'))
  const judged = async (one: History) => wrongThings(await judge(one, databases, options))
  const found = await shortest(history, [...history.sellers.keys()], judged, SHRINK_LIMIT_MS)
  assert.ok(found.wrong.length > 0)
  const kinds = unroll(found.history).map(({ act }) => act.kind)
  assert.equal(kinds, ['move', 'start', 'end'])
})

test.run()
