import type { Generated } from 'kysely'
import type { EndReason, EntryKind, EventKind } from '../../client-sdk/protocol/index.js'

// The tables as migrations/ makes them. Instants are UTC milliseconds.

export interface Schema {
  credit_accounts: CreditAccountRow
  livestreams: LivestreamRow
  runs: RunRow
  ledger_entries: LedgerEntryRow
  events: EventRow
  stamps: { at: number; server_id: string }
  outages: { began_at: number; ended_at: number }
  connections: { server_id: string; seller_id: string; sockets: number }
}

export interface CreditAccountRow {
  seller_id: string
  balance: Generated<number>
  last_seq: Generated<number>
  created_at: number
}

export interface LivestreamRow {
  id: string
  seller_id: string
  title: string
  created_at: number
}

export interface RunRow {
  id: number
  livestream_id: string
  seller_id: string
  started_at: number
  ended_at: number | null
  end_reason: EndReason | null
  interval_ms: number
  warning_ms: number
  auto_end_ms: number
  low_credit_threshold: number
  refund_grace_ms: number
  billed_intervals: number
  paid_interval: number | null
  /** Moved by the entries of the run, never by hand. */
  credits_consumed: number
  last_activity_at: number
  silent_since: number
  warned_at: number | null
  final_told_interval: number | null
  due_at: number | null
}

export interface LedgerEntryRow {
  id: Generated<number>
  seller_id: string
  kind: EntryKind
  amount: number
  balance_after: number
  livestream_id: string | null
  run_id: number | null
  interval_index: number | null
  idempotency_key: string | null
  request: string | null
  corrects: number | null
  reason: string | null
  occurred_at: number
  created_at: number
}

export interface EventRow {
  seller_id: string
  seq: number
  kind: EventKind
  occurred_at: number
  /** The whole payload that a socket carries, as JSON. */
  payload: string
}
