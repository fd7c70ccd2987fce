import type { Browser } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { LivestreamView } from '../../client-sdk/protocol/index.js'
import { browserPath, launchBrowser, launchPlainBrowser, testInBrowser } from '../support/browser.js'
import { commandFolder, run, type Served, serve } from '../support/command.js'
import { until } from '../support/sockets.js'
import { goLive, visit, visitIn } from './visit.js'

// A newcomer's two minutes: the page in a real browser, on a server with nothing configured, in real time.

const folder = commandFolder({ JWT_SECRET: '' })
let server: Served
let browser: Browser

if (browserPath) {
  test.before(async () => {
    server = await serve(folder)
    browser = await launchBrowser()
  })
  test.after(async () => {
    await browser?.close()
    await server?.stop()
    folder.remove()
  })
}

const MINUTE_MS = 60_000

async function newcomer(): Promise<void> {
  const at = await visit(browser, server.url)
  const openedAt = performance.now()
  await at.sees('Be a demo seller')
  await at.shot('1-sign-in')
  await at.press('Sign in')
  await at.press('Buy 1 credit')
  await at.sees('Credits bought: +1, 1 left')
  await at.shot('2-ready')
  await at.press('Go live')
  await at.sees('A credit for the next interval: −1, 0 left')
  await at.sees('Your last credit is running: the stream ends with it.')
  assert.is(await at.text('balance'), '0')
  assert.match(await at.text('next'), /^(0:5\d|1:00)$/, 'a half hour is a minute')
  assert.is(await at.text('run-out'), await at.text('next'))
  await at.press('I am still here')
  await at.page.waitForTimeout(20_000)
  await at.shot('3-last-credit')
  await at.sees('The run took 1 credit and 1 minute.', 50_000)
  await at.sees('Livestream ended due to insufficient credits')
  const tookMs = performance.now() - openedAt
  assert.ok(tookMs < 2 * MINUTE_MS, `a deduction, a warning and a forced end within two minutes: ${tookMs} ms`)
  await at.shot('4-ended')
  const told = [
    'Credits bought: +1, 1 left',
    'You went live',
    'A credit for the next interval: −1, 0 left',
    'Warning: this is the last interval',
    'Livestream ended due to insufficient credits',
  ]
  assert.equal(await at.timeline(), told)

  await at.page.reload()
  await at.sees('The run took 1 credit and 1 minute.')
  await at.sees('You went live')
  assert.equal(await at.timeline(), told, 'a page that is loaded again knows what happened')
  assert.equal(at.faults, [])
  await at.close()
}

async function silence(): Promise<void> {
  const at = await visit(browser, server.url)
  await at.page.getByLabel('Your name').fill('silent')
  await at.press('Sign in')
  await at.press('Buy 10 credits')
  await at.sees('Credits bought: +10')
  await at.page.getByLabel('I move, type or press something here').check()
  await at.press('Go live')
  await at.sees('A credit for the next interval: −1, 9 left')
  await at.sees('Are you still there?', 25_000)
  assert.match(await at.text('silence'), /within ([2-9]|10) seconds/)
  await at.shot('5-silence')
  await at.press('I am here')
  await at.sees('You are back')
  await at.page.getByTestId('silence').waitFor({ state: 'detached' })
  await at.sees('Livestream ended due to inactivity', 40_000)
  await at.sees(/The run took 1 credit and 0 minutes|The run took 1 credit and 1 minute\./)
  assert.equal(at.faults, [])
  await at.close()
}

async function hidden(): Promise<void> {
  const plain = await launchPlainBrowser()
  const at = await visitIn(plain.context, server.url)
  await goLive(at, 'hidden', 10)
  const { out } = await run(folder, ['token', '--seller', 'hidden'])
  const lastActivity = async (): Promise<number> => {
    const answer = await fetch(`${server.url}/api/livestreams/`, { headers: { authorization: `Bearer ${out.trim()}` } })
    const { items } = (await answer.json()) as { items: LivestreamView[] }
    return Date.parse(items[0]?.run?.last_activity ?? '')
  }
  const other = await plain.context.newPage()
  await other.bringToFront()
  await at.page.waitForFunction("document.visibilityState === 'hidden'")
  // Silence would be warned of after 20 s, and end the run after 30.
  await at.page.waitForTimeout(33_000)
  assert.is(await at.text('state'), 'live')
  assert.not((await at.timeline()).join().includes('no sign of life'), 'a hidden page pings on')

  // Shown again it pings at once, and not only with the next of its pings, ten seconds after the last.
  while (Date.now() - (await lastActivity()) > 5_000) await at.page.waitForTimeout(100)
  await at.page.waitForTimeout(Math.max(0, (await lastActivity()) + 2_000 - Date.now()))
  const hiddenAt = await lastActivity()
  await at.page.bringToFront()
  // Its next ping by the clock is still eight seconds away.
  await until(async () => (await lastActivity()) > hiddenAt, 'a page that is shown again pings at once', 5_000)
  assert.equal(at.faults, [])
  await at.press('End the stream')
  await at.sees('Livestream ended by the seller.')
  await plain.close()
}

async function endedByTheSeller(): Promise<void> {
  const at = await visit(browser, server.url)
  await goLive(at, 'ends-it', 10)
  await at.page.getByRole('button', { name: 'End the stream' }).dblclick()
  await at.sees('Livestream ended by the seller.')
  await at.press('Go live')
  await at.sees('A credit for the next interval: −1, 8 left')
  await at.page.getByTestId('used').getByText('1', { exact: true }).waitFor()
  await at.press('End the stream')
  await at.sees('Livestream ended by the seller.')
  await at.press('Sign out')
  await at.sees('Be a demo seller')
  assert.equal(at.faults, [])
  await at.close()
}

async function nothingToSpend(): Promise<void> {
  const at = await visit(browser, server.url)
  await at.page.getByLabel('Your name').fill('poor')
  await at.press('Sign in')
  await at.press('Go live')
  await at.sees('Insufficient credits to start livestream. Buy credits.')
  await at.close()
}

testInBrowser({
  // Mostly a minute of waiting each, so they are at the page together.
  [`a newcomer sees a deduction, a low-credit warning and a forced end within two minutes;
    a seller who is silent is warned, comes back, is silent again, and is ended;
    A1: a hidden page pings on, and at once when it is shown again`]: async () => {
    await Promise.all([newcomer(), silence(), hidden()])
  },
  'a seller ends the stream, once for two clicks, and goes live again': endedByTheSeller,
  'going live without credits says what to do': nothingToSpend,
  'afterwards the data keeps every rule': async () => {
    const { code, out } = await run(folder, ['audit'])
    assert.is(code, 0, out)
  },
})

test.run()
