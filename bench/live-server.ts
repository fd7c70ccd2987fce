import { openDatabase } from '../server/store/database.js'
import { migrate } from '../server/store/migrate.js'
import { goLive } from '../test/support/many-sellers.js'
import { type BenchSeller, type BenchServer, sign, startBuilt } from './servers.js'

export interface LiveServer {
  readonly server: BenchServer
  readonly sellers: readonly BenchSeller[]
  /** Its SQLite database. */
  readonly file: string
}

/** Of every run in a database that is filled here. */
export const policy = {
  intervalMs: 1_800_000,
  warningMs: 600_000,
  autoEndMs: 900_000,
  lowCreditThreshold: 2,
  refundGraceMs: 0,
}

/** The built server, with as many sellers, each with a livestream that is live since now. */
export async function startLive(count: number): Promise<LiveServer> {
  let sellers: BenchSeller[] = []
  let database = ''
  const server = await startBuilt(async (file) => {
    database = file
    const opened = openDatabase({ kind: 'sqlite', file })
    await migrate(opened.db)
    const live = await goLive(opened, { count, credits: 100, at: Date.now(), policy })
    sellers = live.map(({ id, livestreamId }) => ({ token: sign(id, 'seller'), livestreamId }))
    await opened.close()
  })
  return { server, sellers, file: database }
}
