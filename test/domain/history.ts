import * as fc from 'fast-check'
import type { Policy } from '../../server/domain/policy.js'

/** All instants and durations of a history are whole ticks, so that exact ties are frequent. */
export const TICK_MS = 500

/** What somebody does. A command works beside the servers and never stamps (A5). */
export type Act =
  | { readonly kind: 'stamp' }
  | { readonly kind: 'start'; readonly livestreamId: string; readonly policy: Policy }
  | { readonly kind: 'heartbeat'; readonly livestreamId: string }
  | { readonly kind: 'end'; readonly livestreamId: string; readonly by: 'seller' | 'operator' }
  | { readonly kind: 'refund'; readonly livestreamId: string }
  | { readonly kind: 'credits'; readonly amount: number; readonly by: 'server' | 'command' }

/** A pause, in which servers stamp every so many ticks or are dead (null), and then an act. */
export interface Step {
  readonly pauseTicks: number
  readonly stampEveryTicks: number | null
  readonly act: Act
}

/** One seller's life, opened by a stamp at instant 0 and closed by one a pause after the last step. */
export type History = readonly Step[]

export const LOW_CREDIT_THRESHOLD = 2

const ticks = (min: number, max: number) => fc.integer({ min, max }).map((count) => count * TICK_MS)

const policies: fc.Arbitrary<Policy> = fc
  .record({
    // Mostly intervals that meet again soon.
    intervalMs: fc.oneof(ticks(4, 24), fc.constantFrom(2_000, 3_000, 4_000, 6_000)),
    warningMs: ticks(4, 12),
    untilEndMs: ticks(1, 18),
    lowCreditThreshold: fc.integer({ min: 0, max: 3 }),
    refundGraceMs: fc.oneof(fc.constant(0), ticks(1, 6), ticks(6, 20)),
  })
  .map(({ untilEndMs, ...policy }) => ({
    ...policy,
    // Greater than the warning time and than 3 s, as the settings must be (SPEC.md, C).
    autoEndMs: Math.max(policy.warningMs, 3_000) + untilEndMs,
  }))

const stamp: Act = { kind: 'stamp' }
const livestreamIds = fc.constantFrom('a', 'a', 'b', 'c')

function actsUnder(settings: readonly Policy[]): fc.Arbitrary<Act> {
  const policy = fc.constantFrom(...settings)
  return fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('start' as const), livestreamId: livestreamIds, policy }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('heartbeat' as const), livestreamId: livestreamIds }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('end' as const),
        livestreamId: livestreamIds,
        by: fc.constantFrom('seller' as const, 'seller' as const, 'operator' as const),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('refund' as const), livestreamId: livestreamIds }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('credits' as const),
        amount: fc.constantFrom(-2, -1, 1, 1, 2, 4),
        by: fc.constantFrom('server' as const, 'command' as const),
      }),
    },
    { weight: 2, arbitrary: fc.constant(stamp) },
  )
}

const pauseTicks = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 3, arbitrary: fc.integer({ min: 4, max: 14 }) },
  { weight: 1, arbitrary: fc.integer({ min: 15, max: 50 }) },
)
// 6 ticks are 3 s, the longest gap that is no outage, and 7 make one of each pair of stamps.
const stampEveryTicks = fc.constantFrom(1, 2, 2, 3, 6, 7, null, null)

function stepsUnder(settings: readonly Policy[]): fc.Arbitrary<History> {
  const step: fc.Arbitrary<Step> = fc.record({ pauseTicks, stampEveryTicks, act: actsUnder(settings) })
  return fc
    .tuple(
      fc.integer({ min: 1, max: 9 }),
      fc.array(step, { minLength: 1, maxLength: 16 }),
      fc.record({ pauseTicks, stampEveryTicks, act: fc.constant(stamp) }),
    )
    .map(([credits, steps, last]) => [...opening(credits, settings), ...steps, last])
}

/** Nearly every history is about somebody who has credits and is live. */
function opening(credits: number, [policy]: readonly Policy[]): History {
  const atOnce = { pauseTicks: 0, stampEveryTicks: null }
  const grant: Step = { ...atOnce, act: { kind: 'credits', amount: credits, by: 'server' } }
  return policy ? [grant, { ...atOnce, act: { kind: 'start', livestreamId: 'a', policy } }] : [grant]
}

export const histories: fc.Arbitrary<History> = fc.array(policies, { minLength: 1, maxLength: 3 }).chain(stepsUnder)
