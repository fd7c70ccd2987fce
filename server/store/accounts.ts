import { type RawBuilder, sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Account } from '../domain/ledger.js'
import type { Db } from './database.js'
import { isOneOf, isPostgres } from './dialect.js'
import { heldRows } from './locks.js'

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
  return account ?? empty(sellerId)
}

/** The accounts of these sellers, in the order of their ids; those without one are left out. */
export function loadAccounts(db: Db, sellerIds: Iterable<string>): Promise<Account[]> {
  return select(db, sellerIds, sql``)
}

/**
 * The account of a seller, held until the commit. Of a seller who has none yet, the place for it is held: of two first
 * grants one waits for the other.
 */
export async function lockAccount(db: Db, sellerId: string): Promise<Account> {
  const [account] = await select(db, [sellerId], heldRows(db))
  if (account || !isPostgres(db)) return account ?? empty(sellerId)
  await sql`select pg_advisory_xact_lock(hashtextextended(${sellerId}, 0))`.execute(db)
  const [made] = await select(db, [sellerId], heldRows(db))
  return made ?? empty(sellerId)
}

/** The accounts of these sellers, held until the commit. */
export function lockAccounts(db: Db, sellerIds: Iterable<string>): Promise<Account[]> {
  return select(db, sellerIds, heldRows(db))
}

async function select(db: Db, sellerIds: Iterable<string>, held: RawBuilder<unknown>): Promise<Account[]> {
  const { rows } = await sql<{ seller_id: string; balance: number; last_seq: number }>`
    select seller_id, balance, last_seq from credit_accounts
    where ${isOneOf(db, sql`seller_id`, sellerIds)} order by seller_id ${held}`.execute(db)
  return rows.map((row) => ({ sellerId: row.seller_id, balance: row.balance, lastSeq: row.last_seq }))
}

function empty(sellerId: string): Account {
  return { sellerId, balance: 0, lastSeq: 0 }
}
