import { isDeepStrictEqual } from 'node:util'
import { auditDatabase } from '../server/store/audit.js'
import { audit, outagesBetween } from './auditor.js'
import { readOutages, readSellerBooks, type SellerBooks } from './books.js'
import { differences } from './compare.js'
import type { Counts } from './counts.js'
import type { Databases } from './database.js'
import type { Facts } from './facts.js'
import type { History } from './history.js'
import { type Played, play } from './play.js'

/** What there was, and what was wrong with it. */
export interface Verdict {
  readonly counts: Counts
  /** How much there was of what sellers see, by name. */
  readonly totals: Readonly<Record<string, number>>
  /** What concerns no one seller. */
  readonly faults: readonly string[]
  /** By seller; those of whom nothing is wrong are missing. */
  readonly differences: ReadonlyMap<string, readonly string[]>
}

/** For tests of the judge itself: changes what was noted or kept, as if the program had done something else. */
export interface Spoiling {
  readonly spoilFacts?: (facts: Facts) => Facts
  readonly spoilBooks?: (books: SellerBooks, sellerId: string) => SellerBooks
}

/** All that is wrong, in words; empty where nothing is. */
export function wrongThings({ faults, differences: wrong }: Verdict): string[] {
  return [...faults, ...[...wrong].flatMap(([seller, lines]) => lines.map((line) => `${seller}: ${line}`))]
}

/** Plays a history in a database of its own, and holds what came of it against the rules. */
export async function judge(
  history: History,
  databases: Databases,
  options: Spoiling & { readonly onProgress?: (trueMs: number) => void } = {},
): Promise<Verdict> {
  const played = await play(history, databases.fresh(), options.onProgress)
  try {
    return await judgePlayed(played, options)
  } finally {
    await played.cluster.close()
  }
}

/** Holds what came of a history against the rules. */
export async function judgePlayed({ cluster, facts: noted }: Played, spoiling: Spoiling = {}): Promise<Verdict> {
  const { spoilFacts = (facts) => facts, spoilBooks = (books) => books } = spoiling
  const facts = spoilFacts(noted)
  const faults = [...cluster.faults]
  const outages = outagesBetween(facts.stamped)
  const stored = (await readOutages(cluster.db)).map((outage) => ({ ...outage }))
  if (!isDeepStrictEqual(outages, stored)) {
    faults.push(`A5: the outages are ${JSON.stringify(stored)}, and should be ${JSON.stringify(outages)}`)
  }
  const { breaches } = await auditDatabase(cluster.db)
  for (const breach of breaches) faults.push(`the program's own audit finds: ${JSON.stringify(breach)}`)

  const totals: Record<string, number> = { outages: outages.length }
  const count = (what: string, by = 1) => {
    totals[what] = (totals[what] ?? 0) + by
  }
  const wrong = new Map<string, string[]>()
  const times = { outages, sweptPromptly: facts.sweptPromptly }
  for (const [sellerId, own] of facts.sellers) {
    const books = spoilBooks(await readSellerBooks(cluster.db, sellerId), sellerId)
    const expected = audit(own, outages, facts.until)
    const found = differences(own, expected, books, { ...times, written: facts.written.get(sellerId) ?? [] })
    if (found.length > 0) wrong.set(sellerId, found)
    count('facts', own.length)
    count('runs', books.runs.length)
    for (const { kind } of books.entries) count(`${kind}s`)
    for (const { reason } of books.runs) count(`ended: ${reason ?? 'still live'}`)
    count('events', books.events.length)
    for (const { answer, asked } of own) {
      if (answer.kind === 'refused') count(`refused: ${answer.code}`)
      if (answer.kind === 'moved' && !answer.created) count('answered as the first time')
      if (answer.kind === 'heard' && asked.kind === 'ping') count('heartbeats')
    }
  }
  return { counts: cluster.counts, totals, faults, differences: wrong }
}
