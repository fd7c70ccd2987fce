import type { EndReason } from '../../client-sdk/protocol/index.js'

const MESSAGES: Record<EndReason, string> = {
  seller: 'Livestream ended by the seller',
  inactivity: 'Livestream ended due to inactivity',
  credits_exhausted: 'Livestream ended due to insufficient credits',
  operator: 'Livestream ended by an operator',
}

/** Why a run is over, in a sentence for the seller. */
export function endMessage(reason: EndReason, note?: string): string {
  return note ? `${MESSAGES[reason]}: ${note}` : MESSAGES[reason]
}
