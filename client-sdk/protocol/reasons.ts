/** Why a run is over (SPEC.md, "Words"). */
export const END_REASONS = ['seller', 'inactivity', 'credits_exhausted', 'operator'] as const
export type EndReason = (typeof END_REASONS)[number]

/** What moved a credit account. */
export const ENTRY_KINDS = ['grant', 'deduction', 'refund', 'adjustment'] as const
export type EntryKind = (typeof ENTRY_KINDS)[number]

/** Who a token speaks for. */
export const ROLES = ['seller', 'service', 'operator'] as const
export type Role = (typeof ROLES)[number]
