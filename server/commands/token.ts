import type { Role } from '../../client-sdk/protocol/index.js'
import { systemClock } from '../clock.js'
import type { Config } from '../config.js'
import { withDevSecret } from '../dev-secret.js'
import { createTokens } from '../tokens.js'

/** `tallylight token`: prints a signed token. */
export function token(
  config: Config,
  request: { seller: string; role: Role; ttlMs: number },
  print: (line: string) => void,
): void {
  const tokens = createTokens(withDevSecret(config.keys, config.database), systemClock())
  print(tokens.sign({ sub: request.seller, role: request.role, ttlMs: request.ttlMs }))
}
