import type { HeartbeatAnswer } from '../../client-sdk/protocol/index.js'

/**
 * The members of an answer to a heartbeat, as JSON writes them. Nearly all that is ever answered are these, and
 * `JSON.stringify` took a twentieth of a heartbeat; nothing in them needs an escape: words of ours, an instant, and whole numbers.
 */
export function heartbeatMembers(answer: HeartbeatAnswer): string {
  return (
    `"message":"${answer.message}","last_activity":"${answer.last_activity}",` +
    `"remaining_credits":${answer.remaining_credits},"credits_consumed":${answer.credits_consumed}`
  )
}
