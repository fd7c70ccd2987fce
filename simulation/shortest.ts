import * as fc from 'fast-check'
import { type History, histories } from './history.js'

/** What is wrong with a history; empty where nothing is. */
export type Judged = (history: History) => Promise<readonly string[]>

export interface Shortest {
  readonly history: History
  /** Empty where only the whole history shows that something is wrong. */
  readonly wrong: readonly string[]
}

/** How many histories of single sellers are tried first. */
const SELLERS_TRIED = 5

/**
 * Looks for the shortest history in which something is wrong. Sellers have nothing to do with each other but for what
 * happens to nodes, so mostly one of those with whom something is wrong shows it alone. What is then not needed is left
 * out in halves, quarters and so on, and fast-check shrinks what remains, which it does well where little is left.
 * @param sellers with whom something is wrong; empty where it is about none
 */
export async function shortest(
  history: History,
  sellers: readonly number[],
  judged: Judged,
  limitMs: number,
): Promise<Shortest> {
  let found: Shortest = { history, wrong: [] }
  const isWrong = async (one: History): Promise<boolean> => {
    const wrong = await judged(one)
    if (wrong.length === 0) return false
    found = { history: one, wrong }
    return true
  }
  const those = await fewSellers(history, sellers, isWrong)
  if (found.wrong.length === 0) return found
  await fewer(found.history.world, (world) => isWrong({ ...found.history, world }))
  for (const seller of those.keys()) {
    const with_ = (steps: History['sellers'][number]): History => ({
      ...found.history,
      sellers: found.history.sellers.map((own, index) => (index === seller ? steps : own)),
    })
    await fewer(found.history.sellers[seller] ?? [], (steps) => isWrong(with_(steps)))
  }

  const { world, nodes, untilMs } = found.history
  // Its pauses and acts are of the arbitraries that the long history was sampled from, so they can be shrunk as examples.
  const sizes = {
    hours: Math.max(1, Math.ceil(untilMs / 3_600_000)),
    steps: Math.max(world.length, ...found.history.sellers.map(({ length }) => length)),
    sellers: found.history.sellers.length,
    nodes,
  }
  const property = fc.asyncProperty(histories(sizes), async (one) => !(await isWrong(one)))
  await fc.check(property, { examples: [[found.history]], numRuns: 1, interruptAfterTimeLimit: limitMs })
  return found
}

/** As few sellers as show that something is wrong. */
async function fewSellers(
  history: History,
  sellers: readonly number[],
  isWrong: (one: History) => Promise<boolean>,
): Promise<History['sellers']> {
  const only = (chosen: readonly number[]) => history.sellers.filter((_, seller) => chosen.includes(seller))
  if (sellers.length === 0 && (await isWrong({ ...history, sellers: [] }))) return []
  for (const seller of sellers.slice(0, SELLERS_TRIED)) {
    const alone = only([seller])
    if (await isWrong({ ...history, sellers: alone })) return alone
  }
  // It takes others too.
  return fewer(history.sellers, (chosen) => isWrong({ ...history, sellers: chosen }))
}

/** Leaves out halves, quarters and so on, as long as it stays wrong without them. */
async function fewer<T>(all: readonly T[], isWrong: (some: readonly T[]) => Promise<boolean>): Promise<readonly T[]> {
  let left = all
  for (let part = all.length; part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
    for (let from = 0; from < left.length; ) {
      const without = [...left.slice(0, from), ...left.slice(from + part)]
      if (await isWrong(without)) left = without
      else from += part
    }
  }
  return left
}
