import type { MoveAnswer, MoveRequest } from '../services/credits.js'
import type { Heartbeats } from '../services/heartbeats.js'
import type { Livestreams } from '../services/livestreams.js'
import type { Lookups } from '../services/lookups.js'
import type { Metrics } from '../services/metrics.js'
import type { Snapshots } from '../services/snapshots.js'
import type { Tokens } from '../tokens.js'

/** What the doors call. */
export interface Services {
  readonly tokens: Tokens
  readonly livestreams: Livestreams
  readonly heartbeats: Heartbeats
  readonly lookups: Lookups
  readonly snapshots: Snapshots
  readonly metrics: Metrics
  readonly moveCredits: (request: MoveRequest) => Promise<MoveAnswer>
  /** Null when this server can serve, or else why it cannot. */
  readonly readiness: () => Promise<string | null>
}
