import { moveCredits, start } from '../../server/domain/acts.js'
import { conclude, type Outcome } from '../../server/domain/outcome.js'
import type { Policy } from '../../server/domain/policy.js'
import { settle } from '../../server/domain/settle.js'
import { ensureAccount } from '../../server/store/accounts.js'
import type { Database } from '../../server/store/database.js'
import { isPostgres } from '../../server/store/dialect.js'
import { insertLivestream } from '../../server/store/livestreams.js'
import { applyOutcomes } from '../../server/store/outcomes.js'
import { nextRunId } from '../../server/store/runs.js'

export interface LiveSeller {
  readonly id: string
  readonly livestreamId: string
  readonly runId: number
}

let seeded = 0

/** Many sellers with credits, each with a livestream that went live at an instant: all in one transaction. */
export function goLive(
  { db }: Pick<Database, 'db'>,
  { count, credits, at, policy }: { count: number; credits: number; at: number; policy: Policy },
): Promise<LiveSeller[]> {
  return db.transaction().execute(async (tx) => {
    const sellers: LiveSeller[] = []
    const outcomes: Outcome[] = []
    const firstRunId = await nextRunId(tx)
    for (; sellers.length < count; ) {
      seeded += 1
      // SQLite only tells the next id, which the insert takes; PostgreSQL gives one away.
      const runId = isPostgres(tx) && sellers.length > 0 ? await nextRunId(tx) : firstRunId + sellers.length
      const seller = { id: `live-${seeded}`, livestreamId: `live-stream-${seeded}`, runId }
      const tally = settle({ sellerId: seller.id, balance: 0, lastSeq: 0 }, [], [], at)
      const request = { idempotencyKey: `client:seed-${seeded}`, request: '{}', reason: null }
      moveCredits(tally, credits, request, policy.lowCreditThreshold)
      start(tally, seller.runId, seller.livestreamId, policy)
      await ensureAccount(tx, seller.id, at)
      const livestream = { id: seller.livestreamId, sellerId: seller.id, title: `Stream ${seeded}`, createdAt: at }
      await insertLivestream(tx, livestream)
      outcomes.push(conclude(tally))
      sellers.push(seller)
    }
    await applyOutcomes(tx, outcomes, at)
    return sellers
  })
}
