import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import * as assert from 'uvu/assert'

/** Where screenshots are kept with the test output: test/output/, which git ignores. */
const OUTPUT = fileURLToPath(new URL('../output/', import.meta.url))
mkdirSync(OUTPUT, { recursive: true })

/** Someone at the seller page. */
export interface Visit {
  readonly page: Page
  readonly context: BrowserContext
  /** What the page complained about: errors that nobody caught, and those of its scripts. */
  readonly faults: string[]
  press(name: string): Promise<void>
  /** Waits until the text is to be seen. */
  sees(text: string | RegExp, limitMs?: number): Promise<void>
  /** The text of what has this test id. */
  text(testId: string): Promise<string>
  /** The sentences of the timeline, oldest first, without the times. */
  timeline(): Promise<string[]>
  shot(name: string): Promise<void>
  close(): Promise<void>
}

/** Opens the page in a browser of its own: nothing is remembered of others. */
export async function visit(browser: Browser, url: string, options: { width?: number } = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: options.width ?? 360, height: 740 } })
  return visitIn(context, url)
}

/** Opens the page in one more tab. */
export async function visitIn(context: BrowserContext, url: string): Promise<Visit> {
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', ({ message }) => faults.push(message))
  page.on('console', (message) => {
    // What the net does to requests and sockets, the browser itself tells to the log.
    if (message.type() === 'error' && !/^(Failed to load resource|WebSocket connection to)/.test(message.text()))
      faults.push(message.text())
  })
  await page.goto(url)
  const text = async (testId: string) => (await page.getByTestId(testId).textContent()) ?? ''
  return {
    page,
    context,
    faults,
    text,
    press: (name) => page.getByRole('button', { name, exact: true }).click(),
    sees: (what, timeout = 30_000) => page.getByText(what).first().waitFor({ timeout }),
    async timeline() {
      const lines = await page.getByTestId('timeline').locator('li span').allTextContents()
      return lines.reverse()
    },
    async shot(name) {
      const { scrollWidth, clientWidth } = (await page.evaluate(
        '({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth })',
      )) as { scrollWidth: number; clientWidth: number }
      assert.ok(scrollWidth <= clientWidth, `${name}: nothing is wider than the page`)
      await page.screenshot({ path: `${OUTPUT}${name}.png`, fullPage: true })
    },
    close: () => context.close(),
  }
}

/** Signs in as a seller of that name, gets credits and goes live in fast time. */
export async function goLive(at: Visit, name: string, credits: 1 | 10): Promise<void> {
  await at.page.getByLabel('Your name').fill(name)
  await at.press('Sign in')
  await at.press(credits === 1 ? 'Buy 1 credit' : 'Buy 10 credits')
  await at.sees(`Credits bought: +${credits}`)
  await at.press('Go live')
  await at.sees('A credit for the next interval: −1')
}
