import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Account } from '../domain/ledger.js'
import type { LiveRun } from '../domain/run.js'
import type { Db } from './database.js'
import { reading } from './dialect.js'
import type { Livestream } from './livestreams.js'
import { RUN_COLUMNS, toRun } from './runs.js'
import type { RunRow } from './schema.js'

/** What there is to know of a seller before anything is read. */
export interface SellerState {
  /** An empty one where the seller has none yet. */
  readonly account: Account
  /** All live runs, oldest first. */
  readonly runs: readonly LiveRun[]
  /** The livestream that was asked for, whoever's it is; null where none was, or there is none of this id. */
  readonly livestream: Livestream | null
  /** The newest stamp of all servers together; null where no server ever ran (A5). */
  readonly lastStamp: Instant | null
}

type Row = {
  last_stamp: number | null
  balance: number | null
  last_seq: number | null
  asked_seller: string | null
  asked_title: string | null
  asked_created_at: number | null
} & (RunRow | { [column in keyof RunRow]: null })

const readState = reading(sql<Row>`
  select (select max(at) from stamps) as last_stamp, account.balance, account.last_seq, ${RUN_COLUMNS},
    asked.seller_id as asked_seller, asked.title as asked_title, asked.created_at as asked_created_at
  from (select 1) as always
  left join livestreams as asked on asked.id = ${null}
  left join credit_accounts as account on account.seller_id = ${null}
  left join runs on runs.seller_id = ${null} and runs.ended_at is null
  order by runs.id`)

/** Reads it by one statement, and so of one instant, and holds nothing. */
export async function loadSellerState(
  db: Db,
  sellerId: string,
  livestreamId: string | null = null,
): Promise<SellerState> {
  const rows = await readState(db, [livestreamId, sellerId, sellerId])
  const [first] = rows
  return {
    account: { sellerId, balance: first?.balance ?? 0, lastSeq: first?.last_seq ?? 0 },
    runs: liveRunsIn(rows),
    livestream: livestreamId === null || !first ? null : askedIn(first, livestreamId),
    lastStamp: first?.last_stamp ?? null,
  }
}

/** Filled and not mapped: DECISIONS.md, "A seller's state is one statement". */
function liveRunsIn(rows: readonly Row[]): LiveRun[] {
  const runs: LiveRun[] = []
  for (const row of rows) {
    if (row.id === null) continue
    const run = toRun(row)
    if (run.state === 'live') runs.push(run)
  }
  return runs
}

function askedIn(
  { asked_seller: sellerId, asked_title: title, asked_created_at: at }: Row,
  id: string,
): Livestream | null {
  return sellerId === null || title === null || at === null ? null : { id, sellerId, title, createdAt: at }
}
