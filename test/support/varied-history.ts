import { type Instant, SECOND_MS } from '../../server/domain/instant.js'
import type { Policy } from '../../server/domain/policy.js'
import type { Database } from '../../server/store/database.js'
import { meteredWorld } from './metered-world.js'

/** When the hand clock starts, and with it the history. */
export const HISTORY_BEGAN_AT: Instant = Date.UTC(2026, 0, 1)

export const VARIED_POLICY: Policy = {
  intervalMs: 60 * SECOND_MS,
  warningMs: 20 * SECOND_MS,
  autoEndMs: 30 * SECOND_MS,
  lowCreditThreshold: 2,
  refundGraceMs: 10 * SECOND_MS,
}

/**
 * Lives through some of everything that the rules are about, in fifteen minutes of seven sellers:
 *
 * | seller | |
 * | --- | --- |
 * | ann | three runs: ended by herself, ended by herself within the grace, and live; an adjustment and a refund |
 * | bob | out of credits |
 * | cat | two runs at once, one of them ended by an operator |
 * | dan | silent until the end, then live again, warned and back |
 * | eve | through an outage, in which intervals were waived; ended by herself |
 * | fay | out of credits in that outage, found by a monitor while it was open |
 * | gus | live, in his last interval, and warned of his silence |
 */
export async function liveVariedHistory(database: Pick<Database, 'db'>): Promise<void> {
  const world = await meteredWorld(database, VARIED_POLICY, HISTORY_BEGAN_AT)
  const credits = { ann: 20, bob: 2, cat: 18, dan: 5, eve: 12, fay: 1, gus: 1 }
  for (const [seller, amount] of Object.entries(credits)) await world.move(seller, amount)
  const steady = { 'ann-show': 'ann', 'cat-one': 'cat', 'eve-show': 'eve' }
  const first = { ...steady, 'cat-two': 'cat', 'bob-show': 'bob', 'dan-show': 'dan' }
  const all = { ...first, 'fay-show': 'fay', 'gus-show': 'gus' }
  for (const [livestream, seller] of Object.entries(all)) await world.create(seller, livestream)

  // Dan falls silent at once, and Bob's second credit lasts until 120 s.
  for (const [livestream, seller] of Object.entries(first)) await world.start(seller, livestream)
  await world.pass(118 * SECOND_MS, { ...steady, 'cat-two': 'cat', 'bob-show': 'bob' })
  await world.pass(20 * SECOND_MS, { ...steady, 'cat-two': 'cat' })
  await world.move('ann', -2)
  await world.refundNewest('ann-show')
  await world.forceEnd('cat-two')
  await world.end('ann', 'ann-show')

  // 2 s into Ann's second interval, which is within the grace.
  await world.start('ann', 'ann-show')
  await world.pass(62 * SECOND_MS, steady)
  await world.end('ann', 'ann-show')
  await world.start('ann', 'ann-show')

  // Fay's second interval falls into the outage, but not yet into what it waives.
  await world.start('fay', 'fay-show')
  await world.pass(40 * SECOND_MS, { ...steady, 'fay-show': 'fay' })
  world.vanish(25 * SECOND_MS)
  await world.monitor()
  world.vanish(275 * SECOND_MS)
  await world.pass(70 * SECOND_MS, steady)
  await world.end('eve', 'eve-show')

  // A short outage, and then a silence of which Dan and Gus are warned, and that only Dan breaks.
  await world.start('dan', 'dan-show')
  await world.start('gus', 'gus-show')
  world.vanish(5 * SECOND_MS)
  await world.pass(24 * SECOND_MS, { 'ann-show': 'ann', 'cat-one': 'cat' })
  await world.beat('dan', 'dan-show')
}
