import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import jwt from 'jsonwebtoken'
import type { Browser } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { browserPath, launchBrowser, testInBrowser } from '../support/browser.js'
import { commandFolder, run, type Served, serve } from '../support/command.js'
import { type Gate, openGate } from '../support/gate.js'
import { until } from '../support/sockets.js'
import { goLive, type Visit, visit, visitIn } from './visit.js'

// What a network and a server do to an open page. Intervals of six seconds, in the page's fast time.

const folder = commandFolder({ JWT_SECRET: '', CREDIT_DEDUCTION_INTERVAL: '3m' })
let server: Served
let gate: Gate
let browser: Browser

if (browserPath) {
  test.before(async () => {
    server = await serve(folder)
    gate = await openGate(() => server.url)
    browser = await launchBrowser()
  })
  test.before.each(() => {
    gate.pass = 'all'
    gate.asked.length = 0
  })
  test.after(async () => {
    await browser?.close()
    await gate?.close()
    await server?.stop()
    folder.remove()
  })
}

const asked = (what: RegExp) => gate.asked.filter((one) => what.test(one.what)).length
const sockets = () => asked(/transport=websocket/)
const deduction = (left: number) => `A credit for the next interval: −1, ${left} left`

/** Ten credits were bought; each of the deductions so far was told once, in order, and nothing else. */
async function missedNothing(at: Visit): Promise<void> {
  let balance: string
  let lines: string[]
  // Of one instant: no deduction came in between.
  do {
    balance = await at.text('balance')
    lines = await at.timeline()
  } while (balance !== (await at.text('balance')))
  const left = Number(balance)
  const deductions = Array.from({ length: 10 - left }, (_, i) => deduction(9 - i))
  const expected = ['Credits bought: +10, 10 left', 'You went live', ...deductions]
  assert.equal(
    lines.filter((line) => !line.startsWith('Warning') && !line.startsWith('Livestream ended')),
    expected,
  )
  assert.equal(at.faults, [])
}

async function endIt(at: Visit): Promise<void> {
  await at.press('End the stream')
  await at.sees('Livestream ended by the seller.')
  await at.close()
}

async function twoTabs(): Promise<void> {
  const one = await visit(browser, gate.url)
  await goLive(one, 'tabs', 10)
  const two = await visitIn(one.context, `${gate.url}/#tabs`)
  await two.sees(deduction(9))
  assert.is(sockets(), 2, 'each tab has a socket of its own')
  for (const at of [one, two]) {
    await at.sees(deduction(8))
    await missedNothing(at)
  }
  await two.press('End the stream')
  for (const at of [one, two]) await at.sees('Livestream ended by the seller.')
  assert.equal(await one.timeline(), await two.timeline())
  await one.close()
}

async function netCut(): Promise<void> {
  const at = await visit(browser, gate.url)
  await goLive(at, 'cut', 10)
  await at.context.setOffline(true)
  gate.pass = 'nothing'
  gate.cut()
  await at.sees('Not connected since')
  await at.page.waitForTimeout(8_000)
  await at.shot('6-net-cut')
  assert.ok(!(await at.timeline()).includes(deduction(8)), 'nothing is heard while the net is cut')
  gate.pass = 'all'
  const backAt = performance.now()
  await at.context.setOffline(false)
  await at.sees(deduction(8))
  assert.ok(performance.now() - backAt < 6_000, 'the page does not wait for its next attempt')
  await at.page.getByTestId('stale').waitFor({ state: 'detached' })
  await missedNothing(at)
  await endIt(at)
}

async function serverKilled(): Promise<void> {
  const at = await visit(browser, gate.url)
  await goLive(at, 'killed', 10)
  server.process.kill('SIGKILL')
  await server.finished
  await at.sees('Not connected since')
  await at.page.waitForTimeout(2_000)
  server = await serve(folder)
  await at.page.getByTestId('stale').waitFor({ state: 'detached', timeout: 25_000 })
  assert.is(await at.text('state'), 'live')
  await at.sees(deduction(8))
  await missedNothing(at)
  await endIt(at)
  const { code, out } = await run(folder, ['audit'])
  assert.is(code, 0, out)
}

async function longPolling(): Promise<void> {
  gate.pass = 'no-websocket'
  const at = await visit(browser, gate.url)
  await goLive(at, 'polling', 10)
  assert.ok(asked(/POST .*transport=polling/) > 0, 'it speaks by long-polling')
  await at.sees('over socket')
  await at.sees(deduction(8))
  await missedNothing(at)
  await endIt(at)
}

async function restOnly(): Promise<void> {
  gate.pass = 'requests'
  const at = await visit(browser, gate.url)
  await goLive(at, 'rest', 10)
  await at.sees('over rest')
  await at.sees(deduction(8))
  await missedNothing(at)
  await at.press('I am still here')
  await until(() => asked(/POST .*\/heartbeat\//) > 0, 'a heartbeat over REST')
  await at.shot('7-over-rest')
  // Sockets are let through: the page goes back to one, and hears nothing twice.
  gate.pass = 'all'
  await at.page.evaluate("dispatchEvent(new Event('online'))")
  await at.sees('over socket', 60_000)
  await at.sees(deduction(7), 60_000)
  await missedNothing(at)
  await endIt(at)
}

async function tokenExpires(): Promise<void> {
  const context = await browser.newContext()
  const made: string[] = []
  await context.route('**/dev/session', async (route) => {
    // The server's own answer, with a token that lives for seconds.
    const answer = await (await route.fetch()).json()
    const secret = readFileSync(join(folder.path, 'dev-jwt-secret'), 'utf8').trim()
    const token = jwt.sign({ sub: 'expires' }, secret, { expiresIn: '10s' })
    made.push(token)
    await route.fulfill({ json: { ...answer, token } })
  })
  const at = await visitIn(context, gate.url)
  await goLive(at, 'expires', 10)
  const before = made.length
  for (const left of [8, 7, 6]) await at.sees(deduction(left))
  assert.ok(made.length >= before + 2, `${made.length - before} renewals in 18 s, of tokens for 10 s`)
  assert.is(sockets(), 1, 'renewed on the open connection')
  await at.page.getByTestId('stale').waitFor({ state: 'detached' })
  await missedNothing(at)
  // A renewal may be on its way, whose answer would be gone with the page.
  await context.unrouteAll({ behavior: 'wait' })
  await endIt(at)
}

async function endedWhileAway(): Promise<void> {
  const at = await visit(browser, gate.url)
  await goLive(at, 'away', 1)
  gate.pass = 'nothing'
  gate.cut()
  await at.sees('Not connected since')
  await at.page.waitForTimeout(7_000)
  gate.pass = 'all'
  await at.sees('Livestream ended due to insufficient credits', 25_000)
  await at.sees('The run took 1 credit')
  await at.shot('8-ended-while-away')
  // And a page that was gone altogether.
  await at.press('Buy 1 credit')
  await at.page.getByTestId('balance').getByText('1', { exact: true }).waitFor()
  await at.press('Go live')
  await at.sees('Your last credit is running')
  await at.page.goto('about:blank')
  await at.page.waitForTimeout(7_000)
  await at.page.goBack()
  await at.sees('The run took 1 credit', 25_000)
  assert.is(await at.text('state'), 'ended')
  // What happened before is read after how things are.
  const ends = async () => (await at.timeline()).filter((line) => line.startsWith('Livestream ended')).length
  await until(async () => (await ends()) >= 2, 'both ends in the timeline')
  assert.is(await ends(), 2)
  assert.equal(at.faults, [])
  await at.close()
}

testInBrowser({
  'two tabs show the same, each with a socket of its own': twoTabs,
  'V3: the net is cut and back, and nothing was missed': netCut,
  'A5: the server is killed and started again under an open page': serverKilled,
  'WebSocket is blocked: the page lives on long-polling': longPolling,
  'all sockets are blocked: the page lives on REST, and goes back to a socket': restOnly,
  'P2: a token expires again and again during a run': tokenExpires,
  'an end that came while the page was away is told when it is back': endedWhileAway,
})

test.run()
