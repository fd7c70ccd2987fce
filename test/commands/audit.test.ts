import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS } from '../../server/domain/instant.js'
import { openDatabase } from '../../server/store/database.js'
import { commandFolder, run } from '../support/command.js'
import { databaseFacts } from '../support/database-facts.js'
import { makeSeller } from '../support/sellers.js'
import { startServer } from '../support/server.js'

const folder = commandFolder()
test.after(() => folder.remove())

/** A database in which something has happened: streams that go on, that ended, a refund and an adjustment. */
async function makeHistory(): Promise<void> {
  const server = await startServer({ DATABASE_URL: `sqlite:${folder.file}` })
  const sellers = [await makeSeller(server, 9), await makeSeller(server, 9), await makeSeller(server, 2)]
  for (const { livestreamId, token } of sellers) {
    await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  }
  for (let minutes = 0; minutes < 80; minutes += 10) {
    await server.pass(10 * MINUTE_MS)
    for (const { livestreamId, token } of [sellers[0], sellers[2]].filter((seller) => seller !== undefined)) {
      await server.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token })
    }
  }
  const token = server.token('host', 'service')
  for (const [key, body] of [
    ['back', { amount: 1, corrects: 4 }],
    ['less', { amount: -1 }],
  ] as const) {
    const path = `/api/sellers/${sellers[0]?.id}/credits/`
    const { status } = await server.request('POST', path, { token, headers: { 'Idempotency-Key': key }, body })
    assert.is(status, 201)
  }
  await server.close()
}

await makeHistory()

test('C: a database in which all is well passes, and is left as it is', async () => {
  const look = async () => {
    const database = openDatabase({ kind: 'sqlite', file: folder.file })
    const facts = await databaseFacts(database)
    await database.close()
    return facts
  }
  const before = await look()
  const { code, out, err } = await run(folder, ['audit'])
  assert.equal([code, err], [0, ''], out)
  assert.match(out, /^audit clean: \d+ [^\n]+\n$/)
  assert.equal(await look(), before)
})

const corruptions: { rule: string; what: string; statements: string[] }[] = [
  {
    rule: 'B7',
    what: 'a balance that is not the sum of its entries',
    statements: ['drop trigger accounts_follow_ledger', 'update credit_accounts set balance = balance + 1'],
  },
  {
    rule: 'B5',
    what: 'an interval that was charged twice',
    statements: [
      'drop index ledger_one_deduction',
      `insert into ledger_entries (seller_id, kind, amount, balance_after, livestream_id, run_id, interval_index,
        occurred_at, created_at)
        select seller_id, kind, amount, (select balance from credit_accounts as a where a.seller_id = e.seller_id) - 1,
          livestream_id, run_id, interval_index, occurred_at, created_at
        from ledger_entries as e where kind = 'deduction' limit 1`,
    ],
  },
  {
    rule: 'V2',
    what: 'an event that is missing',
    statements: ['delete from events where seq = 2'],
  },
  {
    rule: 'E4|B6|A4',
    what: 'an end that was moved',
    statements: [
      'drop trigger runs_end_is_final',
      "update runs set ended_at = ended_at + 3600000 where end_reason = 'inactivity'",
    ],
  },
]

for (const { rule, what, statements } of corruptions) {
  test(`C: the audit finds ${what}, says which rule is broken and exits 1`, async () => {
    const copy = join(folder.path, `${rule.replaceAll('|', '')}.db`)
    copyFileSync(folder.file, copy)
    const database = openDatabase({ kind: 'sqlite', file: copy })
    for (const statement of statements) await sql.raw(statement).execute(database.db)
    await database.close()

    const { code, out, err } = await run(folder, ['audit'], { DATABASE_URL: `sqlite:${copy}` })

    assert.equal([code, err], [1, ''], out)
    assert.match(out, new RegExp(`^(${rule}): `, 'm'))
    assert.match(out, /^audit found \d+ breach/m)
  })
}

test.run()
