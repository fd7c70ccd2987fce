import type { Config } from '../config.js'
import { type MoveRequest, moveSellerCredits } from '../services/credits.js'
import { createMetering } from '../services/metering.js'
import { commandTimekeeper } from '../services/timekeeper.js'
import { withDatabase } from './with-database.js'

/** `tallylight grant`: gives a seller credits, once for a key (B8); safe beside a running server, which tells the seller. */
export async function grant(config: Config, request: MoveRequest, print: (line: string) => void): Promise<void> {
  await withDatabase(config, async ({ db }, clock) => {
    const metering = createMetering({ db, clock, timekeeper: commandTimekeeper(clock), announce: () => undefined })
    const { created, entry, balance } = await moveSellerCredits(metering, config.policy, request)
    const done = `granted ${entry.amount} ${entry.amount === 1 ? 'credit' : 'credits'} to ${request.sellerId}`
    print(
      created
        ? `${done}: the balance is ${balance}`
        : `nothing to do: this key ${done} before, the balance was then ${balance}`,
    )
  })
}
