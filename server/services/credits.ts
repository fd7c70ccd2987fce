import type { LedgerEntryView } from '../../client-sdk/protocol/index.js'
import { moveCredits, refundDeduction } from '../domain/acts.js'
import { Refusal } from '../domain/errors.js'
import type { Entry, IntervalRef } from '../domain/ledger.js'
import type { Policy } from '../domain/policy.js'
import type { Db } from '../store/database.js'
import { entryById, entryByKey, isCorrected } from '../store/ledger.js'
import type { Metering } from './metering.js'
import { entryView } from './views.js'

export interface MoveRequest {
  readonly sellerId: string
  /** Above 0 a grant, below 0 an adjustment; with `corrects` the refund of that deduction. Never 0. */
  readonly amount: number
  readonly idempotencyKey: string
  readonly reason?: string | undefined
  /** The id of the deduction that is given back. */
  readonly corrects?: number | undefined
}

export interface MoveAnswer {
  /** False where the key was used before, by the same request: this is the first answer again (B8). */
  readonly created: boolean
  readonly entry: LedgerEntryView
  /** The balance after the entry. */
  readonly balance: number
}

/**
 * Moves credits of an account, once for a key (B8).
 * @throws Refusal `idempotency_key_reused`, `balance_would_be_negative`, `balance_too_large`, `entry_not_found`,
 *   `already_refunded`, `invalid_request`; none of them uses the key up
 */
export async function moveSellerCredits(metering: Metering, policy: Policy, request: MoveRequest): Promise<MoveAnswer> {
  const { sellerId, amount, corrects, reason = null } = request
  // Keys of clients and of the program never meet (B8).
  const idempotencyKey = `client:${request.idempotencyKey}`
  const canonical = JSON.stringify({ amount, reason, corrects: corrects ?? null })
  const created = await metering.withSeller(sellerId, async (tx, tally) => {
    const first = await entryByKey(tx, sellerId, idempotencyKey)
    if (first) {
      if (first.request === canonical) return false
      throw new Refusal('idempotency_key_reused', 'This Idempotency-Key was used for another request; take a new one')
    }
    const creditRequest = { idempotencyKey, request: canonical, reason }
    if (corrects === undefined) moveCredits(tally, amount, creditRequest, policy.lowCreditThreshold)
    else refundDeduction(tally, await refundable(tx, sellerId, corrects, amount), creditRequest)
    return true
  })
  const entry = await entryByKey(metering.db, sellerId, idempotencyKey)
  if (!entry) throw new Error(`The entry of key ${idempotencyKey} is not in the ledger`)
  return { created, entry: entryView(entry), balance: entry.balanceAfter }
}

async function refundable(tx: Db, sellerId: string, id: number, amount: number): Promise<IntervalRef> {
  const deduction: Entry | null = await entryById(tx, sellerId, id)
  if (deduction?.kind !== 'deduction' || !deduction.interval) {
    throw new Refusal('entry_not_found', `corrects: the seller has no deduction ${id}`, { field: 'corrects' })
  }
  // B10: never by more than it was.
  if (amount !== -deduction.amount) {
    throw new Refusal('invalid_request', `amount: a refund of this deduction is ${-deduction.amount}`, {
      field: 'amount',
    })
  }
  if (await isCorrected(tx, id)) throw new Refusal('already_refunded', `Deduction ${id} was refunded before`)
  return deduction.interval
}
