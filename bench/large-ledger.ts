import { end, moveCredits, start } from '../server/domain/acts.js'
import type { Account } from '../server/domain/ledger.js'
import { conclude } from '../server/domain/outcome.js'
import type { Policy } from '../server/domain/policy.js'
import type { LiveRun } from '../server/domain/run.js'
import { settle } from '../server/domain/settle.js'
import type { Tally } from '../server/domain/tally.js'
import { ensureAccount } from '../server/store/accounts.js'
import type { Db } from '../server/store/database.js'
import { insertLivestream } from '../server/store/livestreams.js'
import { applyOutcomes } from '../server/store/outcomes.js'

const SELLERS = 2_000
/** How many runs of a seller follow one another; the last one stays live. */
const RUNS = 24
/** What a seller is granted before each run, and streams for at most. */
const INTERVALS = 20
/** How many sellers one transaction writes. */
const TOGETHER = 200

const MINUTE_MS = 60_000
const BEGINS_AT = Date.UTC(2026, 0, 1)
const ROUND_MS = (INTERVALS + 3) * MINUTE_MS

/** So long a silence that nobody has to be heard meanwhile. */
const policy: Policy = {
  intervalMs: MINUTE_MS,
  warningMs: 30 * MINUTE_MS,
  autoEndMs: 60 * MINUTE_MS,
  lowCreditThreshold: 2,
  refundGraceMs: 10_000,
}

/** One in each second round, short enough that it waives nothing. */
const outages: { beganAt: number; endedAt: number }[] = Array.from({ length: Math.floor(RUNS / 2) }, (_, index) => {
  const beganAt = BEGINS_AT + 2 * index * ROUND_MS + 90_500
  return { beganAt, endedAt: beganAt + 5_000 }
})

interface Seller {
  account: Account
  live: LiveRun[]
}

/**
 * Fills a migrated, empty database with a ledger of a little more than a million entries that keeps all rules, by the
 * program's own deciding and writing: runs out of credits, ended by their sellers (some within the grace) or by an
 * operator, and live ones.
 */
export async function fillLargeLedger(db: Db): Promise<void> {
  const sellers: Seller[] = Array.from({ length: SELLERS }, (_, index) => ({
    account: { sellerId: `seller-${index}`, balance: 0, lastSeq: 0 },
    live: [],
  }))
  await db.transaction().execute(async (tx) => {
    for (const { account } of sellers) {
      const { sellerId } = account
      await ensureAccount(tx, sellerId, BEGINS_AT)
      await insertLivestream(tx, { id: `stream-of-${sellerId}`, sellerId, title: 'bench', createdAt: BEGINS_AT })
    }
    for (const { beganAt, endedAt } of outages) {
      await tx.insertInto('outages').values({ began_at: beganAt, ended_at: endedAt }).execute()
    }
    await tx
      .insertInto('stamps')
      .values({ at: BEGINS_AT + RUNS * ROUND_MS, server_id: 'bench' })
      .execute()
  })
  let runId = 0
  for (let round = 0; round < RUNS; round += 1) {
    const at = BEGINS_AT + round * ROUND_MS
    const opening = (tally: Tally) => {
      runId += 1
      const { sellerId } = tally.account
      const request = JSON.stringify({ amount: INTERVALS, reason: null, corrects: null })
      moveCredits(tally, INTERVALS, { idempotencyKey: `client:${round}`, request, reason: null }, 2)
      start(tally, runId, `stream-of-${sellerId}`, policy)
    }
    await forEach(db, sellers, () => at, opening)
    await forEach(
      db,
      sellers,
      (index) => at + lasts(index + round),
      (tally, index) => {
        const [live] = tally.live
        if (live && round < RUNS - 1) end(tally, live.run.id, (index + round) % 4 === 1 ? 'operator' : 'seller')
      },
    )
  }
}

/** Of four runs, one runs out of credits, one is ended by an operator, and two by their sellers, one within the grace. */
function lasts(nth: number): number {
  return [INTERVALS * MINUTE_MS, 18.5 * MINUTE_MS, 19.5 * MINUTE_MS, 18 * MINUTE_MS + 5_000][nth % 4] ?? 0
}

async function forEach(
  db: Db,
  sellers: Seller[],
  at: (index: number) => number,
  act: (tally: Tally, index: number) => void,
): Promise<void> {
  for (let from = 0; from < sellers.length; from += TOGETHER) {
    const outcomes = sellers.slice(from, from + TOGETHER).map((seller, offset) => {
      const tally = settle(seller.account, seller.live, outages, at(from + offset))
      act(tally, from + offset)
      const outcome = conclude(tally)
      seller.account = { ...seller.account, balance: outcome.balance, lastSeq: outcome.lastSeq }
      seller.live = outcome.runs.filter((run) => run.state === 'live')
      return outcome
    })
    await db.transaction().execute((tx) => applyOutcomes(tx, outcomes, at(from) + ROUND_MS))
  }
}
