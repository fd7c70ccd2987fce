/**
 * A server as far as one transaction: it commits a grant, and is dead before it can tell anybody.
 * `node --import tsx test/nodes/dies-before-push.ts DATABASE_URL SELLER KEY`
 */
import { systemClock } from '../../server/clock.js'
import { readConfig } from '../../server/config.js'
import { moveSellerCredits } from '../../server/services/credits.js'
import { createMetering } from '../../server/services/metering.js'
import { clockOf } from '../../server/services/shared-clock.js'
import { serverTimekeeper } from '../../server/services/timekeeper.js'
import { openDatabase } from '../../server/store/database.js'

const [, , url, sellerId = '', idempotencyKey = ''] = process.argv
const config = readConfig({ DATABASE_URL: url })
const database = openDatabase(config.database)
const clock = await clockOf(database, systemClock())
const timekeeper = serverTimekeeper(clock, 'dies-before-push')
const announce = () => process.kill(process.pid, 'SIGKILL')
const metering = createMetering({ db: database.db, clock, timekeeper, announce })
await moveSellerCredits(metering, config.policy, { sellerId, amount: 1, idempotencyKey })
