import type { EndReason, EntryKind, ErrorCode, EventKind } from '../client-sdk/protocol/index.js'

// What the player writes down and the auditor reads: what was asked, at which instant of the program's time, and what was
// answered. Nothing here says what is right.

/** The settings that a run was started with. */
export interface Settings {
  readonly intervalMs: number
  readonly warningMs: number
  readonly autoEndMs: number
  readonly lowCreditThreshold: number
  readonly refundGraceMs: number
}

/** Which deduction a refund names. */
export interface IntervalName {
  readonly runId: number
  readonly interval: number
}

export type Asked =
  | { readonly kind: 'start'; readonly livestreamId: string; readonly settings: Settings }
  | { readonly kind: 'ping'; readonly livestreamId: string; readonly by: 'seller' | 'stranger' }
  | { readonly kind: 'end'; readonly livestreamId: string; readonly by: 'seller' | 'operator' | 'stranger' }
  | {
      readonly kind: 'move'
      readonly amount: number
      readonly key: string
      readonly lowCreditThreshold: number
      /** Null where it is no refund; `nothing` where the entry that it names is no deduction. */
      readonly corrects: IntervalName | 'nothing' | null
    }
  | { readonly kind: 'check'; readonly livestreamId: string }

/** What was answered, as far as the rules say what it has to be. */
export type Answer =
  | {
      readonly kind: 'refused'
      readonly code: ErrorCode
      readonly runId: number | null
      readonly reason: string | null
    }
  | {
      readonly kind: 'started'
      readonly runId: number
      readonly balance: number
      readonly consumed: number
      readonly startedAt: number
      readonly nextAt: number
      readonly runsOutAt: number
    }
  | { readonly kind: 'heard'; readonly balance: number; readonly consumed: number; readonly lastActivityAt: number }
  | {
      readonly kind: 'ended'
      readonly runId: number
      readonly balance: number
      readonly consumed: number
      readonly minutes: number
      readonly reason: EndReason
    }
  | {
      readonly kind: 'moved'
      readonly created: boolean
      readonly entry: EntryKind
      readonly amount: number
      readonly balanceAfter: number
      readonly occurredAt: number
    }
  | {
      readonly kind: 'live'
      readonly balance: number
      readonly consumed: number
      readonly totalConsumed: number
      readonly minutesLeft: number
    }
  | { readonly kind: 'over'; readonly balance: number; readonly consumed: number; readonly reason: EndReason }

/** An act that was answered. What crashed, or reached nobody, is no fact. */
export interface Fact {
  readonly at: number
  readonly asked: Asked
  readonly answer: Answer
}

/** From and to included. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** The events that one transaction wrote about one seller, in their order. */
export interface Written {
  readonly at: number
  readonly kinds: readonly EventKind[]
}

export interface Facts {
  /** Each seller's, in the order in which they happened. */
  readonly sellers: ReadonlyMap<string, readonly Fact[]>
  /** What the transactions of each seller have told once they were committed, in their order. */
  readonly written: ReadonlyMap<string, readonly Written[]>
  /** Times in which servers stamped again and again, never more than 3 s apart, in order. A single stamp is one too. */
  readonly stamped: readonly Span[]
  /** After `from` and up to `to` a server swept at every instant at which something said that it was due. */
  readonly sweptPromptly: readonly Span[]
  /** The instant at which all was settled for the last time. */
  readonly until: number
}
