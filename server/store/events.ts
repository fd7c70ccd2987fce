import { sql } from 'kysely'
import type { EventKind } from '../../client-sdk/protocol/index.js'
import type { NumberedEvent } from '../domain/outcome.js'
import type { Db } from './database.js'
import { type Columns, insertRows } from './dialect.js'

/** An event as it stands in the database: its payload is what a socket carries. */
export interface StoredEvent {
  readonly seq: number
  readonly kind: EventKind
  readonly payload: object
}

const COLUMNS: Columns = { seller_id: 'text', seq: 'bigint', kind: 'text', occurred_at: 'bigint', payload: 'text' }

export interface SellerEvent {
  readonly sellerId: string
  readonly event: NumberedEvent
}

/** Appends events; each moves the sequence of its seller (V2). */
export async function insertEvents(db: Db, events: readonly SellerEvent[]): Promise<void> {
  if (events.length === 0) return
  const rows = events.map(({ sellerId, event }) => [
    sellerId,
    event.payload.seq,
    event.kind,
    event.at,
    JSON.stringify(event.payload),
  ])
  await insertRows(db, 'events', COLUMNS, rows)
}

/** The events of a seller past `after`, in their order, at most `limit`. */
export async function eventsAfter(db: Db, sellerId: string, after: number, limit: number): Promise<StoredEvent[]> {
  const { rows } = await sql<{ seq: number; kind: EventKind; payload: string }>`
    select seq, kind, payload from events where seller_id = ${sellerId} and seq > ${after}
    order by seq limit ${limit}`.execute(db)
  return rows.map(({ seq, kind, payload }) => ({ seq, kind, payload: JSON.parse(payload) as object }))
}
