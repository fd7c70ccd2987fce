import { setTimeout as sleep } from 'node:timers/promises'
import jwt from 'jsonwebtoken'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Role } from '../../client-sdk/protocol/index.js'
import { openDatabase } from '../../server/store/database.js'
import { commandFolder, run, serve, start } from '../support/command.js'
import { TEST_SECRET } from '../support/server.js'

const SECONDS = {
  CREDIT_DEDUCTION_INTERVAL: '1s',
  INACTIVITY_WARNING_TIME: '2s',
  INACTIVITY_AUTO_END_TIME: '4s',
}

const token = (sub: string, role: Role = 'seller') => jwt.sign({ sub, role }, TEST_SECRET, { expiresIn: '1h' })
const service = token('host', 'service')

async function post(url: string, method: string, path: string, sub: string, body?: object, key = ''): Promise<number> {
  const response = await fetch(`${url}/api/${path}`, {
    method,
    headers: { authorization: `Bearer ${sub === 'host' ? service : token(sub)}`, 'idempotency-key': key },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  await response.arrayBuffer()
  return response.status
}

/** A seller with credits and a livestream of the same name, live. */
async function goLive(url: string, name: string, credits: number): Promise<void> {
  const statuses = [
    await post(url, 'POST', 'livestreams/', 'host', { title: name, id: name, seller_id: name }),
    await post(url, 'POST', `sellers/${name}/credits/`, 'host', { amount: credits }, 'first'),
    await post(url, 'PATCH', `livestreams/start/${name}/`, name),
  ]
  assert.equal(statuses, [201, 201, 200])
}

async function runsIn(file: string) {
  const database = openDatabase({ kind: 'sqlite', file })
  const runs = await database.db.selectFrom('runs').selectAll().orderBy('id').execute()
  const deductions = await database.db
    .selectFrom('ledger_entries')
    .selectAll()
    .where('kind', '=', 'deduction')
    .orderBy('id')
    .execute()
  const outages = await database.db.selectFrom('outages').selectAll().execute()
  await database.close()
  assert.equal(outages, [], 'this machine stood still for more than 3 s: the times below would not hold')
  return runs.map((one) => ({
    name: one.livestream_id,
    endReason: one.end_reason,
    lastedMs: one.ended_at === null ? null : one.ended_at - one.started_at,
    intervals: deductions.filter((entry) => entry.run_id === one.id).map((entry) => entry.interval_index),
  }))
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

test('C: a monitor every second does what the server leaves to it, until Ctrl+C', async () => {
  const folder = commandFolder(SECONDS)
  try {
    const server = await serve(folder, { SWEEP_INTERVAL: 'off' })
    const monitor = start(folder, ['monitor_credits', '--check-interval', '1'])
    await goLive(server.url, 'silent', 50)
    await goLive(server.url, 'poor', 2)
    await monitor.printed(/^silent: .*ended at .*\(inactivity\)/m)
    monitor.process.kill('SIGINT')
    const { code, out, err } = await monitor.finished
    assert.equal([code, err], [0, ''])
    assert.match(out, /^monitoring every 1 s; stop with Ctrl\+C\n/)
    assert.match(out, /^silent: .*warned of inactivity/m)
    assert.match(out, /^poor: .*ended at .*\(credits_exhausted\)/m)
    assert.is((await server.stop()).code, 0)
    const runs = await runsIn(folder.file)
    assert.equal(runs, [
      { name: 'silent', endReason: 'inactivity', lastedMs: 4_000, intervals: [0, 1, 2, 3] },
      { name: 'poor', endReason: 'credits_exhausted', lastedMs: 2_000, intervals: [0, 1] },
    ])
    // All but the first interval of each, which the start has paid, is told by the monitor.
    const told = [...out.matchAll(/^\w+: .*?deducted (\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
    assert.is(told, 4)
  } finally {
    folder.remove()
  }
})

test('B5, B4: two servers and two monitors on one file, under load, charge every interval once', async () => {
  const folder = commandFolder(SECONDS)
  try {
    const [sweeping, other] = await Promise.all([serve(folder), serve(folder, { SWEEP_INTERVAL: 'off' })])
    const monitors = ['1', '1'].map((every) => start(folder, ['monitor_credits', '--check-interval', every]))
    const kinds = { poor: 3, silent: 50, beating: 50 }
    const names = Object.keys(kinds).flatMap((kind) => upTo(10).map((n) => `${kind}-${n}`))
    await Promise.all(names.map((name) => goLive(other.url, name, name.startsWith('poor') ? kinds.poor : kinds.silent)))

    const until = Date.now() + 4_600
    for (let round = 0; Date.now() < until; round++) {
      const { url } = round % 2 ? sweeping : other
      const statuses = await Promise.all(
        names.map((name) => {
          if (name.startsWith('beating')) return post(url, 'POST', `livestreams/${name}/heartbeat/`, name)
          if (name.startsWith('silent') && round % 4 === 0) {
            return post(url, 'POST', `sellers/${name}/credits/`, 'host', { amount: 1 }, `round-${round}`)
          }
          return post(url, 'POST', `livestreams/${name}/check_credits/`, name)
        }),
      )
      for (const status of statuses) assert.ok(status === 200 || status === 201, String(status))
      await sleep(100)
    }

    for (const { process } of monitors) process.kill('SIGINT')
    const finished = await Promise.all([...monitors.map((one) => one.finished), sweeping.stop(), other.stop()])
    for (const { code, err } of finished) assert.equal([code, err], [0, ''])
    for (const { name, endReason, lastedMs, intervals } of await runsIn(folder.file)) {
      if (name.startsWith('poor')) assert.equal([endReason, lastedMs], ['credits_exhausted', 3_000])
      if (name.startsWith('silent')) assert.equal([endReason, lastedMs], ['inactivity', 4_000])
      if (name.startsWith('beating')) assert.equal([endReason, lastedMs], [null, null])
      const count = name.startsWith('poor') ? 3 : name.startsWith('silent') ? 4 : intervals.length
      assert.equal(intervals, upTo(count), `${name}: each once, and in order`)
      assert.ok(count >= 3)
    }
    const audit = await run(folder, ['audit'])
    assert.is(audit.code, 0, audit.out)
  } finally {
    folder.remove()
  }
})

test.run()
