import type { HeartbeatAnswer } from '../../client-sdk/protocol/index.js'
import type { Heartbeats } from '../../server/services/heartbeats.js'
import type { Identity } from '../../server/tokens.js'

/** A heartbeat as a promise, which nobody who serves thousands of them has the memory for. */
export function recordHeartbeat(
  heartbeats: Pick<Heartbeats, 'take'>,
  livestreamId: string,
  by: Identity,
): Promise<HeartbeatAnswer> {
  return new Promise((resolve, reject) => heartbeats.take(livestreamId, by, { resolve, reject }))
}
