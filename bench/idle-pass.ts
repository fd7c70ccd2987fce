import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../server/clock.js'
import { newRun } from '../server/domain/run.js'
import { createMetering } from '../server/services/metering.js'
import { sweepOnce } from '../server/services/sweep.js'
import { serverTimekeeper } from '../server/services/timekeeper.js'
import { ensureAccount } from '../server/store/accounts.js'
import { type Database, openDatabase } from '../server/store/database.js'
import { insertLivestream } from '../server/store/livestreams.js'
import { migrate } from '../server/store/migrate.js'
import { saveRuns } from '../server/store/runs.js'

// A pass of the sweep with nothing due, with 1,000 and with 100,000 live runs: it costs the same.
//   npm run bench:idle-pass

const PASSES = 20_000
const clock = systemClock()
const policy = {
  intervalMs: 1_800_000,
  warningMs: 600_000,
  autoEndMs: 900_000,
  lowCreditThreshold: 2,
  refundGraceMs: 0,
}
const folder = mkdtempSync(join(tmpdir(), 'tallylight-bench-'))

async function withLiveRuns(count: number): Promise<Database> {
  const database = openDatabase({ kind: 'sqlite', file: join(folder, `${count}.db`) })
  await migrate(database.db)
  const now = clock.now()
  await database.db.transaction().execute(async (tx) => {
    for (let from = 1; from <= count; from += 1_000) {
      const runs = Array.from({ length: Math.min(1_000, count - from + 1) }, (_, index) => {
        const id = from + index
        return { ...newRun(id, `stream-${id}`, `seller-${id}`, now, policy), billedIntervals: 1 }
      })
      for (const { livestreamId, sellerId } of runs) {
        await ensureAccount(tx, sellerId, now)
        await insertLivestream(tx, { id: livestreamId, sellerId, title: 'bench', createdAt: now })
      }
      await saveRuns(tx, runs)
    }
  })
  return database
}

async function microsecondsAPass({ db }: Database): Promise<number> {
  const timekeeper = serverTimekeeper(clock, 'bench')
  const metering = createMetering({ db, clock, timekeeper, announce: () => undefined })
  const began = performance.now()
  for (let pass = 0; pass < PASSES; pass += 1) await sweepOnce(metering, clock)
  return ((performance.now() - began) * 1_000) / PASSES
}

const few = await withLiveRuns(1_000)
const many = await withLiveRuns(100_000)
for (let round = 1; round <= 4; round += 1) {
  const [small, large] = [await microsecondsAPass(few), await microsecondsAPass(many)]
  console.log(
    `round ${round}  1,000 live: ${small.toFixed(1)} µs a pass   100,000 live: ${large.toFixed(1)} µs a pass   ratio ${(large / small).toFixed(2)}`,
  )
}
await few.close()
await many.close()
rmSync(folder, { recursive: true, force: true })
