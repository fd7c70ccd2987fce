import type { EntryKind } from '../../client-sdk/protocol/index.js'
import type { Instant } from './instant.js'

/** A seller's prepaid credits, and how far the seller's event sequence has come. */
export interface Account {
  readonly sellerId: string
  /** Whole credits, never below 0. */
  readonly balance: number
  /** The sequence of the seller's newest event; 0 before the first (V2). */
  readonly lastSeq: number
}

/** The most credits that an account can hold: past it, a number is no longer exact. */
export const LARGEST_BALANCE = Number.MAX_SAFE_INTEGER

/** Which interval of which run an entry is about. */
export interface IntervalRef {
  readonly livestreamId: string
  readonly runId: number
  readonly intervalIndex: number
}

/** A movement of an account that is about to be written (B7). */
export interface NewEntry {
  readonly kind: EntryKind
  /** Signed, in credits. */
  readonly amount: number
  readonly balanceAfter: number
  readonly interval: IntervalRef | null
  /** Unique among the seller's entries (B8). */
  readonly idempotencyKey: string | null
  /** The request that made the entry, in a canonical form, to tell a repeat from another request with its key (B8). */
  readonly request: string | null
  readonly reason: string | null
  /** When it took effect. */
  readonly occurredAt: Instant
}

/** An entry as it stands in the ledger. */
export interface Entry extends NewEntry {
  readonly id: number
  readonly corrects: number | null
  readonly createdAt: Instant
}
