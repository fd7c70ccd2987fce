import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Account } from '../domain/ledger.js'
import type { Db } from './database.js'
import { eachOf } from './json.js'

/** Makes the account of a seller where there is none. */
export async function ensureAccount(db: Db, sellerId: string, now: Instant): Promise<void> {
  await db
    .insertInto('credit_accounts')
    .values({ seller_id: sellerId, created_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** The account of a seller; an empty one where the seller has none yet. */
export async function loadAccount(db: Db, sellerId: string): Promise<Account> {
  const [account] = await loadAccounts(db, [sellerId])
  return account ?? { sellerId, balance: 0, lastSeq: 0 }
}

/** The accounts of these sellers, in the order of their ids; those without one are left out. */
export async function loadAccounts(db: Db, sellerIds: Iterable<string>): Promise<Account[]> {
  const { rows } = await sql<{ seller_id: string; balance: number; last_seq: number }>`
    select seller_id, balance, last_seq from credit_accounts
    where seller_id in (select value from ${eachOf(sellerIds)}) order by seller_id`.execute(db)
  return rows.map((row) => ({ sellerId: row.seller_id, balance: row.balance, lastSeq: row.last_seq }))
}
