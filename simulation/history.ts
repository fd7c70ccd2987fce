import * as fc from 'fast-check'

// What people, nodes and clocks will do, as plain data: no arbitrary here is mapped, so that fast-check can shrink a history
// that it did not make in this run. All times are milliseconds of true time, which no clock of the world shows.

/** What one seller, or somebody about that seller, tries to do. `stay` is a ping every so often, as may follow a start. */
export type SellerAct =
  | {
      readonly kind: 'start'
      readonly stream: number
      readonly timeScale: number
      readonly times: number
      readonly everyMs: number
      /** So long after the last ping it is ended. */
      readonly endsAfterMs: number | null
      readonly endsBy: 'seller' | 'operator'
    }
  | { readonly kind: 'ping'; readonly stream: number; readonly by: 'seller' | 'stranger' }
  | { readonly kind: 'stay'; readonly stream: number; readonly times: number; readonly everyMs: number }
  | { readonly kind: 'end'; readonly stream: number; readonly by: 'seller' | 'operator' | 'stranger' }
  | {
      readonly kind: 'move'
      readonly amount: number
      /** A key of its own, or the last one again: with the same request, or with another. */
      readonly key: 'new' | 'again' | 'other request'
      readonly through: 'server' | 'command'
    }
  | { readonly kind: 'refund'; readonly back: number; readonly fault: 'none' | 'amount' | 'no deduction' }
  | { readonly kind: 'check'; readonly stream: number }

export interface SellerStep {
  readonly pauseMs: number
  /** After the pause, waits until the true time is a multiple of this, so that things meet exactly. */
  readonly roundUpToMs: number
  readonly act: SellerAct
  /** Which of the nodes that are up hears it. */
  readonly node: number
  /** Crash the transaction after so many statements, or just before its commit where it has fewer. */
  readonly crashAfter: number | null
}

/** What happens to nodes and clocks. */
export type WorldAct =
  | { readonly kind: 'kill'; readonly node: number }
  | { readonly kind: 'restart'; readonly node: number; readonly settings: number; readonly pulseMs: number }
  /** Every node is gone, or hangs, for so long, maybe just after a stamp; monitors look meanwhile, the first one soon. */
  | {
      readonly kind: 'outage'
      /** How long before the instant that the step was rounded up to, so that things fall due soon after the last stamp. */
      readonly leadMs: number
      readonly ms: number
      readonly how: 'killed' | 'hanging'
      readonly justStamped: boolean
      readonly looks: number
    }
  | { readonly kind: 'leap'; readonly ms: number }
  | { readonly kind: 'set back'; readonly ms: number }
  /** From now on nodes sweep so long after something fell due, or (null) not by themselves. */
  | { readonly kind: 'sweeps'; readonly lateMs: number | null }
  | { readonly kind: 'sweep'; readonly node: number }
  | { readonly kind: 'monitor' }

export interface WorldStep {
  readonly pauseMs: number
  readonly roundUpToMs: number
  readonly act: WorldAct
  readonly crashAfter: number | null
}

export interface History {
  /** How many nodes are up at the beginning. */
  readonly nodes: number
  readonly untilMs: number
  readonly world: readonly WorldStep[]
  readonly sellers: readonly (readonly SellerStep[])[]
}

/** How large a history may be. */
export interface Sizes {
  readonly hours: number
  /** Of the world, and of each seller. */
  readonly steps: number
  readonly sellers: number
  readonly nodes: number
}

const SECOND = 1_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE

const stream = fc.constantFrom(0, 0, 0, 1, 2)
const anyNode = fc.integer({ min: 0, max: 7 })
const crashAfter = fc.oneof(
  { weight: 24, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 12 }) },
)
const minutes = (...counts: number[]) => fc.constantFrom(...counts.map((count) => count * MINUTE))

// At the deadline and at the warning, just before them, and well within.
const everyMs = fc.oneof(
  { weight: 6, arbitrary: minutes(1, 3, 5, 5, 5, 6, 6, 9, 10, 10, 14, 15) },
  { weight: 1, arbitrary: fc.constantFrom(3 * SECOND, 10 * MINUTE - 1, 15 * MINUTE - 1) },
)

const sellerActs: fc.Arbitrary<SellerAct> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('start'),
      stream,
      timeScale: fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 2, 7),
      times: fc.integer({ min: 0, max: 12 }),
      everyMs,
      // Around the graces of refunds.
      endsAfterMs: fc.oneof(fc.constant(null), fc.constantFrom(0, SECOND, 2 * MINUTE, 5 * MINUTE - 1, 5 * MINUTE)),
      endsBy: fc.constantFrom('seller', 'seller', 'seller', 'operator'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('ping'),
      stream,
      by: fc.constantFrom('seller', 'seller', 'seller', 'seller', 'seller', 'stranger'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('stay'),
      stream,
      times: fc.integer({ min: 1, max: 12 }),
      everyMs,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('end'),
      stream,
      by: fc.constantFrom('seller', 'seller', 'seller', 'seller', 'operator', 'stranger'),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('move'),
      amount: fc.constantFrom(1, 2, 3, 4, 6, 9, 12, 20, -1, -2, -4),
      key: fc.constantFrom('new', 'new', 'new', 'new', 'again', 'other request'),
      through: fc.constantFrom('server', 'server', 'command'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('refund'),
      back: fc.integer({ min: 0, max: 3 }),
      fault: fc.constantFrom('none', 'none', 'none', 'none', 'amount', 'no deduction'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('check'), stream }) },
)

const sellerPauses = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 5 * SECOND }) },
  // Whole minutes meet intervals, warnings and deadlines exactly.
  { weight: 6, arbitrary: minutes(1, 2, 3, 5, 5, 10, 15) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 20 * MINUTE }) },
  { weight: 1, arbitrary: minutes(30, 30, 60, 90, 4 * 60) },
)

const sellerSteps: fc.Arbitrary<SellerStep> = fc.record({
  pauseMs: sellerPauses,
  roundUpToMs: fc.constantFrom(1, 1, 1, 1, 1, MINUTE, 5 * MINUTE, 5 * MINUTE),
  act: sellerActs,
  node: anyNode,
  crashAfter,
})

/** Around the longest gap that is no outage, around the times of the policy, and a night. */
const outageLengths = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1_500, max: 5 * SECOND }) },
  { weight: 3, arbitrary: fc.constantFrom(3 * SECOND - 1, 3 * SECOND, 3 * SECOND + 1, 3 * SECOND + 1) },
  { weight: 6, arbitrary: minutes(1, 1, 5, 5, 5, 10, 15, 15, 16, 20, 30, 45, 60) },
  { weight: 2, arbitrary: fc.integer({ min: 5 * SECOND, max: 40 * MINUTE }) },
  { weight: 1, arbitrary: fc.constant(7 * HOUR) },
)

const worldActs: fc.Arbitrary<WorldAct> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('kill'), node: anyNode }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('restart'),
      node: anyNode,
      settings: fc.integer({ min: 0, max: 3 }),
      pulseMs: fc.constantFrom(1 * SECOND, 1 * SECOND, 2_500, 3 * SECOND),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('outage'),
      leadMs: fc.constantFrom(0, 0, SECOND, 2_500),
      ms: outageLengths,
      how: fc.constantFrom('killed', 'hanging'),
      justStamped: fc.boolean(),
      looks: fc.integer({ min: 0, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leap'), ms: fc.constantFrom(2_900, 3_100, HOUR, HOUR) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('set back'), ms: fc.constantFrom(500, 5 * SECOND, MINUTE, HOUR) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('sweeps'),
      lateMs: fc.constantFrom(0, 0, 0, 700, 20 * SECOND, 7 * MINUTE, null),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('sweep'), node: anyNode }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('monitor') }) },
)

const worldSteps: fc.Arbitrary<WorldStep> = fc.record({
  pauseMs: fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 5 * SECOND }) },
    { weight: 3, arbitrary: minutes(1, 5, 10, 15, 30, 60) },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 90 * MINUTE }) },
  ),
  roundUpToMs: fc.constantFrom(1, 1, MINUTE, 5 * MINUTE, 5 * MINUTE),
  act: worldActs,
  crashAfter,
})

/** So many steps fill an hour, nearly always. */
const STEPS_AN_HOUR = 6

/** Histories up to these sizes; what lies past the last hour does not happen. */
export function histories({ hours, steps, sellers, nodes }: Sizes): fc.Arbitrary<History> {
  const upTo = { minLength: 0, maxLength: steps, size: 'max' as const }
  return fc.record({
    nodes: fc.integer({ min: 1, max: nodes }),
    world: fc.array(worldSteps, upTo),
    sellers: fc.array(fc.array(sellerSteps, upTo), { minLength: 0, maxLength: sellers, size: 'max' }),
    untilMs: fc.integer({ min: 0, max: hours * HOUR }),
  })
}

/** One history of so many hours, sellers and nodes, the same for the same seed. `histories` as large can shrink it. */
export function longHistory({ hours, sellers, nodes }: Omit<Sizes, 'steps'>, seed: number): History {
  const steps = hours * STEPS_AN_HOUR
  const exactly = { minLength: steps, maxLength: steps, size: 'max' as const }
  const [world = []] = fc.sample(fc.array(worldSteps, exactly), { seed, numRuns: 1 })
  const all = fc.sample(fc.array(sellerSteps, exactly), { seed: seed + 1, numRuns: sellers })
  return { nodes, untilMs: hours * HOUR, world, sellers: all.map((own) => [OPENING, ...own.slice(1)]) }
}

/** Nearly every seller has something to spend. */
const OPENING: SellerStep = {
  pauseMs: 0,
  roundUpToMs: 1,
  act: { kind: 'move', amount: 6, key: 'new', through: 'server' },
  node: 0,
  crashAfter: null,
}

/** One thing at one instant of true time. */
export type Moment =
  | { readonly atMs: number; readonly seller: null; readonly act: AtomicWorldAct; readonly crashAfter: number | null }
  | (Pick<SellerStep, 'node' | 'crashAfter'> & {
      readonly atMs: number
      readonly seller: number
      readonly act: AtomicSellerAct
    })

export type AtomicSellerAct = Exclude<SellerAct, { kind: 'stay' }>
export type AtomicWorldAct =
  | Exclude<WorldAct, { kind: 'outage' }>
  | { readonly kind: 'down'; readonly how: 'killed' | 'hanging'; readonly justStamped: boolean }
  | { readonly kind: 'up' }

/** All that happens, in the order of true time. */
export function unroll({ world, sellers, untilMs }: History): Moment[] {
  const moments = unrollWorld(world)
  for (const [seller, steps] of sellers.entries()) {
    let atMs = 0
    for (const { pauseMs, roundUpToMs, act, node, crashAfter } of steps) {
      atMs = Math.ceil((atMs + pauseMs) / roundUpToMs) * roundUpToMs
      if (act.kind !== 'stay') moments.push({ atMs, seller, act, node, crashAfter })
      if (act.kind !== 'stay' && act.kind !== 'start') continue
      for (let time = 0; time < act.times; time += 1) {
        atMs += act.everyMs
        const ping = { kind: 'ping' as const, stream: act.stream, by: 'seller' as const }
        moments.push({
          atMs,
          seller,
          act: ping,
          node,
          crashAfter: act.kind === 'stay' && time === 0 ? crashAfter : null,
        })
      }
      if (act.kind === 'stay' || act.endsAfterMs === null) continue
      atMs += act.endsAfterMs
      const end = { kind: 'end' as const, stream: act.stream, by: act.endsBy }
      moments.push({ atMs, seller, act: end, node, crashAfter: null })
    }
  }
  // Sorting is stable: at one instant the world comes first, then the sellers in their order.
  return moments.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
}

/** When the first monitor looks: no outage is open then. */
const SOON_MS = 2_800

function unrollWorld(world: readonly WorldStep[]): Moment[] {
  const moments: Moment[] = []
  let atMs = 0
  for (const { pauseMs, roundUpToMs, act, crashAfter } of world) {
    const before = atMs
    atMs = Math.ceil((atMs + pauseMs) / roundUpToMs) * roundUpToMs
    const push = (at: number, what: AtomicWorldAct, crash: number | null = null) =>
      moments.push({ atMs: at, seller: null, act: what, crashAfter: crash })
    if (act.kind !== 'outage') {
      push(atMs, act, crashAfter)
      continue
    }
    atMs = Math.max(before, atMs - act.leadMs)
    push(atMs, { kind: 'down', how: act.how, justStamped: act.justStamped })
    for (let look = 0; look < act.looks; look += 1) {
      push(atMs + Math.min(act.ms, SOON_MS + Math.floor((look * act.ms) / act.looks)), { kind: 'monitor' })
    }
    atMs += act.ms
    push(atMs, { kind: 'up' })
  }
  return moments
}
