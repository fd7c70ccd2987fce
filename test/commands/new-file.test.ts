import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const FILES = 60
/** Until the processes are up. */
const LEAD_MS = 3_000
const EVERY_MS = 30

test('C: processes that open a new file at the same instant all get it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-opening-'))
  const script = fileURLToPath(new URL('../support/opens-files.ts', import.meta.url))
  const order = [folder, FILES, Date.now() + LEAD_MS, EVERY_MS].map(String)
  try {
    const both = [0, 1].map(() => promisify(execFile)(process.execPath, ['--import', 'tsx', script, ...order]))
    for (const { stderr } of await Promise.all(both)) assert.is(stderr, '')
    assert.is(readdirSync(folder).filter((name) => name.endsWith('.db')).length, FILES)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
