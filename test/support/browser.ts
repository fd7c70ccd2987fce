import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'
import { test } from 'uvu'
import { leftOut } from '../left-out.js'

const PLACES = [
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
  '--disable-component-update',
  '--disable-sync',
]

/** The browser that is installed; undefined where there is none. */
export const browserPath = PLACES.find((path) => path !== '' && existsSync(path))

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: browserPath ?? '', args: ARGUMENTS })
}

export interface PlainBrowser {
  readonly context: BrowserContext
  close(): Promise<void>
}

/**
 * A browser whose tabs hide each other as they do for people: one that Playwright launches keeps every page `visible`, and
 * so does a context that it makes.
 */
export async function launchPlainBrowser(): Promise<PlainBrowser> {
  const profile = mkdtempSync(join(tmpdir(), 'tallylight-browser-'))
  const args = [
    ...ARGUMENTS,
    '--headless=new',
    `--user-data-dir=${profile}`,
    '--remote-debugging-port=0',
    'about:blank',
  ]
  const child = spawn(browserPath ?? '', args, { stdio: 'ignore', detached: true })
  const portFile = join(profile, 'DevToolsActivePort')
  const portWritten = () => existsSync(portFile) && readFileSync(portFile, 'utf8').includes('\n')
  for (let i = 0; i < 600 && !portWritten(); i += 1) await sleep(100)
  const [port] = readFileSync(portFile, 'utf8').split('\n')
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true })
  const [context] = browser.contexts()
  if (!context) throw new Error('the browser has no context of its own')
  return {
    context,
    async close() {
      await browser.close()
      await endGroup(child)
      // What a dying browser writes last may land between the emptying of its folder and the removal.
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    },
  }
}

/** Ends a browser with its helper processes, which outlive it and go on writing into the profile. */
async function endGroup(child: ChildProcess): Promise<void> {
  const ended = child.exitCode !== null || child.signalCode !== null || once(child, 'exit')
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Already gone, all of them.
  }
  await ended
}

/** Tests that need a browser; where there is none they are left out, which the runner says. */
export function testInBrowser(tests: Readonly<Record<string, () => Promise<void>>>): void {
  for (const [title, body] of Object.entries(tests)) {
    if (browserPath) test(title, body)
    else leftOut.push('no Chromium or Chrome was found (name one in CHROME_PATH)')
  }
}
