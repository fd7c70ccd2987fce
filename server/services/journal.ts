import type { Outcome } from '../domain/outcome.js'
import type { Log } from '../log.js'

/** Logs what was done to a seller, once it is committed: a line for each movement of credits, warning, start and end. */
export function createJournal(log: Log): (outcome: Outcome) => void {
  return ({ sellerId, events }) => {
    for (const { kind, payload } of events) {
      const fields = {
        seller: sellerId,
        livestream: payload.livestream_id,
        run: payload.run_id,
        seq: payload.seq,
        at: payload.occurred_at,
      }
      switch (kind) {
        case 'stream_started':
          log.info({ ...fields, remaining: payload.remaining_credits }, 'stream started')
          break
        case 'credit_update':
          log.info(
            {
              ...fields,
              change: payload.change,
              interval: payload.interval_index,
              remaining: payload.remaining_credits,
            },
            payload.kind,
          )
          break
        case 'low_credit_warning':
          log.info({ ...fields, remaining: payload.remaining_credits, final: payload.final }, 'low credit warning')
          break
        case 'inactivity_warning':
          log.info({ ...fields, lastActivity: payload.last_activity, endsAt: payload.ends_at }, 'inactivity warning')
          break
        case 'inactivity_cleared':
          log.info({ ...fields, lastActivity: payload.last_activity }, 'inactivity cleared')
          break
        case 'stream_ended':
          log.info({ ...fields, reason: payload.reason, consumed: payload.credits_consumed }, 'stream ended')
          break
      }
    }
  }
}
