import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { browserPath, launchBrowser, testInBrowser } from '../support/browser.js'
import { type Gate, openGate } from '../support/gate.js'
import { grant, makeSeller, type TestSeller } from '../support/sellers.js'
import { startServer, type TestServer } from '../support/server.js'
import { until } from './watched-meter.js'

// What only a browser has: strict mode in a document, tabs, locks, interaction; and the pages of the README as they stand.

const SDK = fileURLToPath(new URL('../../client-sdk/', import.meta.url))
const readme = readFileSync(`${SDK}README.md`, 'utf8')

let server: TestServer
let gate: Gate
let browser: Browser
let context: BrowserContext
let seller: TestSeller
const faults: string[] = []

const block = (language: string): string => new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1] ?? ''

/** A script for a page, from modules of the SDK. */
async function bundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, loader: 'jsx', resolveDir: SDK },
    alias: { '@tallylight/client/react': `${SDK}src/react.ts`, '@tallylight/client': `${SDK}src/index.ts` },
    define: { 'process.env.NODE_ENV': '"development"' },
    bundle: true,
    write: false,
    format: 'iife',
    jsx: 'automatic',
    logLevel: 'warning',
  })
  return outputFiles[0]?.text ?? ''
}

async function open(path: string): Promise<Page> {
  const page = await context.newPage()
  page.on('pageerror', ({ message }) => faults.push(message))
  await page.goto(`${gate.url}${path}`)
  return page
}

const sees = (page: Page, text: string) => page.getByText(text).first().waitFor({ timeout: 10_000 })
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click()
const sockets = () => gate.asked.filter(({ what }) => what.includes('transport=websocket')).length

async function before(): Promise<void> {
  server = await startServer()
  gate = await openGate(() => server.url)
  browser = await launchBrowser()
  const html = { type: 'text/html; charset=utf-8' }
  const script = (name: string) => `<!doctype html><div id="root"></div><script src="${name}"></script>`
  gate.pages.set('/token', { type: 'text/plain', body: () => seller.token })
  gate.pages.set('/plain', { ...html, body: block('html') })
  gate.pages.set('/react', { ...html, body: script('react.js') })
  gate.pages.set('/tabs', { ...html, body: script('tabs.js') })
  gate.pages.set('/react.js', {
    type: 'text/javascript',
    body: await bundle(`
      ${block('jsx')}
      import { StrictMode } from 'react'
      import { createRoot } from 'react-dom/client'
      const root = createRoot(document.getElementById('root'))
      window.show = (id) => root.render(
        <StrictMode>{id && <GoLive livestreamId={id} stopMedia={(reason) => document.title = reason} />}</StrictMode>)
    `),
  })
  gate.pages.set('/tabs.js', {
    type: 'text/javascript',
    body: await bundle(`
      import { createCreditMeter, EVENT_KINDS } from '@tallylight/client'
      window.heard = []
      window.open1 = (options) => {
        window.meter = createCreditMeter({ getToken: () => fetch('/token').then((r) => r.text()), ...options })
        for (const kind of EVENT_KINDS) meter.on(kind, ({ seq }) => heard.push(seq))
        meter.connect()
      }
    `),
  })
}

async function after(): Promise<void> {
  await browser?.close()
  await gate?.close()
  await server?.close()
}

async function beforeEach(): Promise<void> {
  seller = await makeSeller(server, 5)
  context = await browser.newContext()
  gate.asked.length = 0
  faults.length = 0
}

async function theReadmesPlainPage(): Promise<void> {
  await context.route('https://unpkg.com/@tallylight/client', (route) =>
    route.fulfill({ contentType: 'text/javascript', path: `${SDK}dist/tallylight.global.js` }),
  )
  const service = server.token('host', 'service')
  const body = { id: 'my-stream', title: 'T', seller_id: seller.id }
  await server.request('POST', '/api/livestreams/', { token: service, body })
  const page = await open('/plain')
  await sees(page, 'idle, 5 credits left')
  await press(page, 'Go live')
  await sees(page, 'live, 4 credits left')
  await press(page, 'End')
  await sees(page, 'ended, 4 credits left')
  await press(page, 'Go live')
  await sees(page, 'live, 3 credits left')
  const [dialog] = await Promise.all([page.waitForEvent('dialog'), server.pass(15 * 60_000)])
  assert.is(dialog.message(), 'Livestream ended due to inactivity')
  await dialog.accept()
  assert.equal(faults, [])
}

async function theReadmesReactPage(): Promise<void> {
  const page = await open('/react')
  await page.evaluate(`show('${seller.livestreamId}')`)
  await sees(page, 'idle, 5 credits left')
  await press(page, 'Go live')
  await sees(page, 'live, 4 credits left')
  await page.getByText(/The next one in 1(800|79\d) seconds/).waitFor()
  await page.getByText(/The next one in 179\d seconds/).waitFor()
  // Another livestream in the same place.
  const other = await makeSeller(server, 7)
  const [mine, theirs] = [seller, other]
  seller = other
  await page.evaluate(`show('${theirs.livestreamId}')`)
  await sees(page, 'idle, 7 credits left')
  await press(page, 'Go live')
  await sees(page, 'live, 6 credits left')
  await server.pass(15 * 60_000)
  await sees(page, 'Livestream ended due to inactivity')
  assert.is(await page.title(), 'inactivity')
  await page.evaluate('show(null)')
  for (const { id, livestreamId } of [mine, theirs]) {
    const isConnected = async () => {
      const { body } = await server.request('GET', `/api/livestreams/${livestreamId}/`, { token: server.token(id) })
      return body.connected as boolean
    }
    let connected = true
    for (let i = 0; i < 100 && connected; i += 1) connected = await isConnected()
    assert.is(connected, false, 'nothing is left of a page that is gone')
  }
  assert.equal(faults, [])
}

const stateOf = (page: Page) => page.evaluate('meter.state + " " + meter.snapshot.connection')
const heardBy = (page: Page) => page.evaluate('heard') as Promise<number[]>

async function isHeard(page: Page, sequences: number[], what: string): Promise<void> {
  let heard: number[] = []
  const end = performance.now() + 10_000
  while (heard.length < sequences.length && performance.now() < end) heard = await heardBy(page)
  assert.equal(heard, sequences, what)
}

async function becomes(page: Page, state: string, limitMs = 12_000): Promise<void> {
  await page.waitForFunction(`\`\${meter.state} \${meter.snapshot.connection}\` === '${state}'`, null, {
    timeout: limitMs,
    polling: 50,
  })
}

async function sharedTabs(): Promise<void> {
  const options = `{ livestreamId: '${seller.livestreamId}', multiTab: 'shared', activity: 'manual' }`
  const [one, two, three] = await Promise.all(['/tabs', '/tabs', '/tabs'].map(open))
  assert.ok(one && two && three)
  for (const tab of [one, two, three]) {
    await tab.evaluate(`open1(${options})`)
    await becomes(tab, 'idle socket')
  }
  assert.is(sockets(), 1, 'one connection between three tabs')
  await three.evaluate('meter.start()')
  for (const tab of [one, two, three]) {
    await becomes(tab, 'live socket')
    await isHeard(tab, [2, 3], 'each tab hears each event once')
  }
  await two.evaluate('meter.ping()')

  // The leader is closed: another has the connection at once, and nothing is missed.
  const closing = one.close()
  await grant(server, seller.id, 1)
  await closing
  await grant(server, seller.id, 1)
  for (const tab of [two, three]) await isHeard(tab, [2, 3, 4, 5], 'nothing is missed when the leader is closed')
  await becomes(two, 'live socket')
  await becomes(three, 'live socket')
  assert.is(sockets(), 2)

  // The leader stands still, as a frozen page does: another takes the lock from it.
  const devtools = await context.newCDPSession(two)
  await devtools.send('Debugger.enable')
  await devtools.send('Debugger.pause')
  await until(() => sockets() === 3, 'another tab has noticed', 15_000)
  await becomes(three, 'live socket')
  await grant(server, seller.id, 1)
  await isHeard(three, [2, 3, 4, 5, 6], 'nothing is missed when the leader is frozen')
  await devtools.send('Debugger.resume')
  await isHeard(two, [2, 3, 4, 5, 6], 'nor by the one that was frozen')
  await becomes(two, 'live socket')
  assert.is(await stateOf(three), 'live socket')
  await two.evaluate('meter.end()')
  for (const tab of [two, three]) await becomes(tab, 'ended socket')
  assert.is(sockets(), 3, 'and one connection is enough again')
  assert.equal(faults, [])
}

async function interaction(): Promise<void> {
  const page = await open('/tabs')
  await page.evaluate(`open1({ livestreamId: '${seller.livestreamId}', activity: 'interaction' })`)
  await page.evaluate('meter.start({ timeScale: 200 })')
  const lastActivity = () => page.evaluate('meter.snapshot.run.last_activity')
  const started = await lastActivity()
  server.clock.advance(1_000)
  await page.waitForTimeout(2_500)
  assert.is(await lastActivity(), started, 'nobody was there')
  await page.keyboard.press('a')
  await page.waitForFunction(`meter.snapshot.run.last_activity > '${started}'`, null, { timeout: 10_000 })
}

async function seenAgain(): Promise<void> {
  const page = await open('/tabs')
  await page.evaluate(`open1({ livestreamId: '${seller.livestreamId}' })`)
  await page.evaluate('meter.start()')
  for (const happens of [
    "document.dispatchEvent(new Event('visibilitychange'))",
    "dispatchEvent(new Event('online'))",
  ]) {
    const before = await page.evaluate('meter.snapshot.run.last_activity')
    server.clock.advance(1_000)
    // Sooner than a second after the last one it would be the same news again.
    await page.waitForTimeout(1_100)
    assert.is(await page.evaluate('meter.snapshot.run.last_activity'), before)
    await page.evaluate(happens)
    await page.waitForFunction(`meter.snapshot.run.last_activity > '${before}'`, null, { timeout: 10_000 })
  }
}

for (const language of ['html', 'jsx']) {
  test(`the README gets a page going in under twenty lines (${language})`, () => {
    const lines = block(language).trim().split('\n')
    assert.ok(lines.length > 5 && lines.length < 20, `${lines.length} lines`)
  })
}

if (browserPath) {
  test.before(before)
  test.after(after)
  test.before.each(beforeEach)
  test.after.each(() => context.close())
}
testInBrowser({
  "the README's plain page goes live, as it stands": theReadmesPlainPage,
  "the README's React page goes live, as it stands, in strict mode": theReadmesReactPage,
  'V3: shared tabs have one connection, and hand it on when the leader is closed or frozen': sharedTabs,
  'A1: a page that is seen again, or whose net is back, pings at once': seenAgain,
  "A1: with activity 'interaction' a page pings when somebody is there": interaction,
})

test.run()
