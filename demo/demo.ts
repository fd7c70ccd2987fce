import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LedgerEntryView } from '../client-sdk/protocol/index.js'
import { narrate } from './narrator.js'
import { joinAs, type Seller } from './seller.js'
import { type DemoServer, runCommand, startServer } from './server.js'

// A livestream's half hour in three seconds: two sellers on real sockets, a real server, a fresh database.

const folder = mkdtempSync(join(tmpdir(), 'tallylight-demo-'))
const env = {
  DATABASE_URL: `sqlite:${join(folder, 'demo.db')}`,
  PORT: '0',
  LOG_LEVEL: 'warn',
  CREDIT_DEDUCTION_INTERVAL: '3s',
  INACTIVITY_WARNING_TIME: '4s',
  INACTIVITY_AUTO_END_TIME: '8s',
}

async function main(): Promise<void> {
  narrate.title('Tallylight demo: a credit lasts 3 s, silence warns after 4 s and ends the stream after 8 s')
  const server = await startServer(env)
  try {
    const ann = await joinAs(server, 'ann', { credits: 5, pingsEverySecond: true })
    const bob = await joinAs(server, 'bob', { credits: 10, pingsEverySecond: false })
    narrate.say('', 'ann streams and pings until her 5 credits are gone; bob pings once, then falls silent')
    await Promise.all([ann.start(), bob.start()])
    await sleep(2_000)
    await bob.ping()
    await Promise.all([ann.ended, bob.ended])
    for (const seller of [ann, bob]) await printLedger(server, seller)
    ann.leave()
    bob.leave()
    narrate.title('audit')
    process.stdout.write(await runCommand(['audit'], env))
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true })
  }
}

async function printLedger(server: DemoServer, { name, token }: Seller): Promise<void> {
  const response = await fetch(`${server.url}/api/credits/ledger/`, { headers: { authorization: `Bearer ${token}` } })
  const { items } = (await response.json()) as { items: LedgerEntryView[] }
  narrate.title(`the ledger of ${name}`)
  for (const { kind, amount, balance_after, interval_index, occurred_at } of items.reverse()) {
    const interval = interval_index === null ? '' : `interval ${interval_index}`
    narrate.row([occurred_at, kind.padEnd(10), String(amount).padStart(3), `balance ${balance_after}`, interval])
  }
}

await main()
