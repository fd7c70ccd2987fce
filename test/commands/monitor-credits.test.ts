import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS, toTimestamp } from '../../server/domain/instant.js'
import { type CommandFolder, commandFolder, run, start } from '../support/command.js'
import { elapse } from '../support/elapse.js'
import { makeSeller, type TestSeller } from '../support/sellers.js'
import { startServer, TEST_SECRET } from '../support/server.js'

// A server that sweeps nothing stands beside the monitor. Its clock is moved to now, where the monitor's is.
const server = await startServer({ SWEEP_INTERVAL: 'off' })
const folder: CommandFolder = {
  ...commandFolder(),
  env: { DATABASE_URL: server.databaseUrl, JWT_SECRET: TEST_SECRET },
}
test.after(async () => {
  folder.remove()
  await server.close()
})

async function act(method: string, action: string, { livestreamId, token }: TestSeller): Promise<void> {
  const { status } = await server.request(method, `/api/livestreams/${livestreamId}/${action}/`, { token })
  assert.is(status, 200)
}

async function monitor(...args: string[]): Promise<string[]> {
  // As a server does every second (A5).
  await elapse(server, Math.max(0, Date.now() - server.clock.now()))
  const { code, out, err } = await run(folder, ['monitor_credits', '--run-once', ...args])
  assert.equal([code, err], [0, ''])
  return out.trimEnd().split('\n')
}

const NOTHING = /^checked at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z: 0 deducted, 0 warned, 0 ended$/

test('C: one pass deducts, warns and ends, and prints what it did; another finds nothing to do', async () => {
  const startedAt = Date.now() - 35.5 * MINUTE_MS
  server.clock.set(startedAt)
  // Started 35.5 minutes ago, each with its credits and the minutes at which it sent heartbeats.
  const cases = [
    { credits: 10, beats: [9, 18, 27], prints: 'deducted 1; 8 remaining' },
    { credits: 10, beats: [9, 18, 23], prints: 'deducted 1, warned of inactivity; 8 remaining' },
    { credits: 10, beats: [9, 18], prints: 'deducted 1, ended at {33} (inactivity); 8 remaining' },
    { credits: 10, beats: [9], prints: 'ended at {24} (inactivity); 9 remaining' },
    { credits: 4, beats: [9, 18, 27], prints: 'deducted 1, warned of low credits; 2 remaining' },
    { credits: 2, beats: [9, 18, 27], prints: 'deducted 1, warned of low credits; 0 remaining' },
    { credits: 1, beats: [9, 18, 27], prints: 'ended at {30} (credits_exhausted); 0 remaining' },
  ]
  const made: { seller: TestSeller; beats: number[]; prints: string }[] = []
  for (const { credits, beats, prints } of cases) {
    const seller = await makeSeller(server, credits)
    await act('PATCH', 'start', seller)
    made.push({ seller, beats, prints })
  }
  for (const minute of [9, 18, 23, 27]) {
    await elapse(server, startedAt + minute * MINUTE_MS - server.clock.now())
    for (const { seller, beats } of made) if (beats.includes(minute)) await act('POST', 'heartbeat', seller)
  }
  const unstarted = await makeSeller(server, 10)
  await elapse(server, startedAt + 35 * MINUTE_MS - server.clock.now())
  await act('PATCH', 'start', unstarted)

  const lines = await monitor()

  const at = (_: string, minutes: string) => toTimestamp(startedAt + Number(minutes) * MINUTE_MS)
  const expected = made.map(({ seller, prints }) => `${seller.livestreamId}: ${prints.replace(/\{(\d+)\}/, at)}`)
  assert.equal(lines.slice(0, -1).sort(), expected.sort())
  assert.match(lines.at(-1) ?? '', /: 5 deducted, 3 warned, 3 ended$/)

  // What is printed is in the database.
  const { db } = server.database
  for (const { seller, prints } of made) {
    const query = db.selectFrom('runs').selectAll().where('livestream_id', '=', seller.livestreamId)
    const { ended_at, end_reason, warned_at } = await query.executeTakeFirstOrThrow()
    const { balance } = await db
      .selectFrom('credit_accounts')
      .select('balance')
      .where('seller_id', '=', seller.id)
      .executeTakeFirstOrThrow()
    const events = await db.selectFrom('events').select('kind').where('seller_id', '=', seller.id).execute()
    assert.match(prints, new RegExp(`; ${balance} remaining$`))
    assert.is(end_reason, /\((\w+)\)/.exec(prints)?.[1] ?? null)
    assert.is(ended_at, end_reason && startedAt + Number(/\{(\d+)\}/.exec(prints)?.[1]) * MINUTE_MS)
    assert.is(warned_at !== null && ended_at === null, prints.includes('inactivity;'))
    const warned = events.some(({ kind }) => kind === 'inactivity_warning')
    assert.is(warned, prints.includes('warned of inactivity'))
  }

  const again = await monitor()
  assert.is(again.length, 1)
  assert.match(again[0] ?? '', NOTHING)

  const verbose = await monitor('--verbose')
  assert.match(verbose.pop() ?? '', NOTHING)
  const live = (seller: TestSeller | undefined, text: string) => `${seller?.livestreamId}: live, ${text}`
  assert.equal(
    verbose.sort(),
    [
      live(made[0]?.seller, '2 deducted, 8 remaining, next deduction in 24 min, silent for 8 min'),
      live(made[1]?.seller, '2 deducted, 8 remaining, next deduction in 24 min, silent for 12 min (warned)'),
      live(made[4]?.seller, '2 deducted, 2 remaining, next deduction in 24 min, silent for 8 min'),
      live(made[5]?.seller, '2 deducted, 0 remaining, next deduction in 24 min, silent for 8 min'),
      live(unstarted, '1 deducted, 9 remaining, next deduction in 29 min, silent for 0 min'),
    ].sort(),
  )
})

test('C: a pass over a database that is not there yet makes it, and finds nothing', async () => {
  const fresh = commandFolder()
  try {
    const { code, out, err } = await run(fresh, ['monitor_credits', '--run-once', '--verbose'])
    assert.equal([code, err], [0, ''])
    assert.match(out.trimEnd(), NOTHING)
  } finally {
    fresh.remove()
  }
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`C: continuous, every 300 s by default, until ${signal}`, async () => {
    const fresh = commandFolder()
    try {
      const running = start(fresh, ['monitor_credits'])
      await running.printed(/checked at/)
      running.process.kill(signal)
      const finished = await Promise.race([running.finished, sleep(5_000, null, { ref: false })])
      assert.ok(finished, 'it waits for the next check')
      assert.equal([finished.code, finished.err], [0, ''])
      assert.match(finished.out, /^monitoring every 300 s; stop with Ctrl\+C\nchecked at [^\n]+\n$/)
    } finally {
      fresh.remove()
    }
  })
}

test.run()
