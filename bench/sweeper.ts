import { systemClock } from '../server/clock.js'
import { createMetering } from '../server/services/metering.js'
import { clockOf } from '../server/services/shared-clock.js'
import { sweepOnce } from '../server/services/sweep.js'
import { serverTimekeeper } from '../server/services/timekeeper.js'
import { openDatabase } from '../server/store/database.js'

// A server's sweep as a process of its own, for bench/nodes.ts: it sweeps from one instant to another, and says what it did.

export interface SweepOrder {
  readonly from: number
  readonly to: number
}

export interface SweepReport {
  /** A transaction that goes on past the end counts by its share before it. */
  readonly deductions: number
  readonly batches: number
  /** Batches of which other sweepers held everything. */
  readonly vain: number
}

const [url = '', name = ''] = process.argv.slice(2)
const database = openDatabase({ kind: 'postgres', url, poolSize: 2, statementTimeoutMs: 10_000, retryForMs: 5_000 })
const clock = await clockOf(database, systemClock())
const timekeeper = serverTimekeeper(clock, name)
const metering = createMetering({ db: database.db, clock, timekeeper, announce: () => undefined })

process.on('message', (order: SweepOrder) => void sweep(order).then((report) => process.send?.(report)))
process.once('disconnect', () => void database.close())
process.send?.('ready')

async function sweep({ from, to }: SweepOrder): Promise<SweepReport> {
  let deductions = 0
  let batches = 0
  let vain = 0
  const bounded: typeof metering = {
    ...metering,
    async settleDue(...given) {
      if (Date.now() >= to) return { position: given[0], outcomes: [], unsettled: [], more: false }
      const began = Date.now()
      const pass = await metering.settleDue(...given)
      const ended = Date.now()
      const share = ended <= to ? 1 : (to - began) / (ended - began)
      batches += 1
      if (pass.outcomes.length === 0) vain += 1
      for (const { entries } of pass.outcomes) deductions += entries.length * share
      return pass
    },
  }
  await new Promise((resolve) => setTimeout(resolve, from - Date.now()))
  while (Date.now() < to) await sweepOnce(bounded, clock, { others: 'leave' })
  return { deductions, batches, vain }
}
