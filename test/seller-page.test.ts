import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { commandFolder, type Served, serve } from './support/command.js'

// The page in a real browser, on a server as a newcomer has it: nothing configured.

const BROWSERS = [
  process.env['CHROME_PATH'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/usr/bin/chromium-browser',
]
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
]
const executablePath = BROWSERS.find((path) => path !== '' && existsSync(path))

const folder = commandFolder({ JWT_SECRET: '' })
let server: Served | undefined
let browser: Browser | undefined
test.after(async () => {
  await browser?.close()
  await server?.stop()
  folder.remove()
})

const title = 'a newcomer buys credits, goes live, sees the deduction and the warning, and ends the stream'
if (executablePath) test(title, seesItWork)
else {
  console.log('left out: the seller page, since no Chromium or Chrome was found (name one in CHROME_PATH)')
  test.skip(title, () => undefined)
}

async function seesItWork(): Promise<void> {
  server = await serve(folder)
  browser = await chromium.launch({ executablePath: executablePath ?? '', args: ARGUMENTS })
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } })
  const faults: string[] = []
  page.on('pageerror', ({ message }) => faults.push(message))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  const press = (name: string) => page.getByRole('button', { name, exact: true }).click()
  const sees = (text: string) => page.getByText(text).first().waitFor()

  await page.goto(server.url)
  await press('Sign in')
  await press('Buy 2 credits')
  await sees('Credits bought: +2, 2 left')
  await press('Go live')
  await sees('A credit for the next interval: −1, 1 left')
  await sees('Only 1 credit left.')
  assert.is(await page.getByTestId('balance').textContent(), '1')
  assert.match((await page.getByTestId('next').textContent()) ?? '', /^(0:5\d|1:00)$/)
  const width = await page.evaluate('document.documentElement.scrollWidth')
  assert.is(width, 360, 'nothing is wider than a small phone')
  await press('I am still here')
  await press('End the stream')
  await sees('Livestream ended by the seller.')
  assert.equal(faults, [])
}

test.run()
