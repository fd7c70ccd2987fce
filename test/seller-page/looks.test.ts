import { AxeBuilder } from '@axe-core/playwright'
import type { Browser } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { browserPath, launchBrowser, testInBrowser } from '../support/browser.js'
import { commandFolder, type Served, serve } from '../support/command.js'
import { type Gate, openGate } from '../support/gate.js'
import { until } from '../support/sockets.js'
import { goLive, type Visit, visit } from './visit.js'

// Whether everybody can use the page: by contrast and names (axe), at the width of a small phone, and without a mouse.

// Twenty minutes in the page's fast time: looking takes its time, also at a page that is cut off and silent.
const folder = commandFolder({
  JWT_SECRET: '',
  CREDIT_DEDUCTION_INTERVAL: '10h',
  INACTIVITY_WARNING_TIME: '10h',
  INACTIVITY_AUTO_END_TIME: '11h',
})
let server: Served
let gate: Gate
let browser: Browser

if (browserPath) {
  test.before(async () => {
    server = await serve(folder)
    gate = await openGate(() => server.url)
    browser = await launchBrowser()
  })
  test.after(async () => {
    await browser?.close()
    await gate?.close()
    await server?.stop()
    folder.remove()
  })
}

const LOOKS = [
  { colorScheme: 'light', width: 360 },
  { colorScheme: 'dark', width: 360 },
  { colorScheme: 'light', width: 1280 },
  { colorScheme: 'dark', width: 1280 },
] as const

/** Looks at the page as it stands, in every look there is. */
async function looksAt({ page, shot }: Visit, what: string): Promise<void> {
  for (const { colorScheme, width } of LOOKS) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.setViewportSize({ width, height: 740 })
    await shot(`${what}-${colorScheme}-${width}`)
    const { violations, passes } = await new AxeBuilder({ page }).analyze()
    const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
    assert.ok(passes.length > 10, 'the rules were looked at')
    assert.equal(told, [], `${what}, ${colorScheme}, ${width} px`)
  }
}

async function noViolation(): Promise<void> {
  const at = await visit(browser, gate.url)
  await at.sees('Be a demo seller')
  await looksAt(at, 'sign-in')
  await goLive(at, 'looks', 1)
  await at.sees('Your last credit is running')
  await looksAt(at, 'live')
  gate.pass = 'nothing'
  gate.cut()
  await at.sees('Not connected since')
  await looksAt(at, 'connection-lost')
  gate.pass = 'all'
  await at.page.getByTestId('stale').waitFor({ state: 'detached', timeout: 25_000 })
  await at.press('End the stream')
  await at.sees('Livestream ended by the seller.')
  await at.press('Go live')
  await at.sees('Insufficient credits to start livestream. Buy credits.')
  await looksAt(at, 'ended')
  await at.close()
}

/** Presses Tab until what has the focus is called so. */
async function tabTo({ page }: Visit, name: string): Promise<void> {
  for (let i = 0; i < 20; i += 1) {
    await page.keyboard.press('Tab')
    const focused = (await page.evaluate(
      '(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()',
    )) as string
    if (focused === name) {
      const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
      assert.is(outline, 'solid', `${name}: the focus is to be seen`)
      return
    }
  }
  throw new Error(`Tab does not get to: ${name}`)
}

async function byKeyboard(): Promise<void> {
  const at = await visit(browser, server.url)
  const { keyboard } = at.page
  await at.sees('Be a demo seller')
  await tabTo(at, 'Your name')
  await keyboard.press('Control+A')
  await keyboard.type('keys')
  await keyboard.press('Enter')
  await at.sees('The stream of keys')
  await tabTo(at, 'Buy 1 credit')
  await keyboard.press('Enter')
  await keyboard.press('Enter')
  await at.sees(/Credits bought: \+1, \d left/)
  await at.page.keyboard.press('Shift+Tab')
  await at.page.keyboard.press('Shift+Tab')
  await keyboard.press('ArrowDown')
  await until(() => at.page.getByLabel('Real time').isChecked(), 'the other pace is chosen')
  await keyboard.press('ArrowUp')
  await keyboard.press('Shift+Tab')
  await keyboard.press('Enter')
  await at.sees('A credit for the next interval: −1')
  const focusIsKept = () => at.page.evaluate<boolean>("document.activeElement.tagName === 'SECTION'")
  await until(focusIsKept, 'the focus stays where it was')
  await tabTo(at, 'End the stream')
  await keyboard.press('Enter')
  await at.sees('Livestream ended by the seller.')
  await tabTo(at, 'Go live')
  assert.equal(at.faults, [])
  await at.close()
}

async function productionSignIn(): Promise<void> {
  const production = await serve(folder, { NODE_ENV: 'production', JWT_SECRET: 'x'.repeat(40) })
  const at = await visit(browser, production.url)
  await at.sees('This server is not in development.')
  await looksAt(at, 'sign-in-production')
  await at.page.getByLabel('Token').fill('nonsense')
  await at.page.getByLabel('Livestream id').fill('somewhere')
  await at.press('Sign in')
  await at.sees('Check getToken.')
  await looksAt(at, 'refused')
  await at.close()
  await production.stop()
}

testInBrowser({
  'the page has no axe violation in any state, in light and dark, on a phone and on a screen': noViolation,
  'the page is used by keyboard alone': byKeyboard,
  'outside development it asks for a token, and says what is wrong with it': productionSignIn,
})

test.run()
