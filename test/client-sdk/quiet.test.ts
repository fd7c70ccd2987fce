import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makeSeller } from '../support/sellers.js'
import { startServer, type TestServer } from '../support/server.js'

const META = fileURLToPath(new URL('../../client-sdk/src/meter.ts', import.meta.url))

let server: TestServer
test.before(async () => {
  server = await startServer()
})
test.after(() => server.close())

/** A page of its own, as a process; it ends when nothing is left that it waits for. */
async function page(script: string): Promise<string> {
  const seller = await makeSeller(server, 5)
  const prologue = `
    const { createMeter } = await import(${JSON.stringify(META)})
    const url = ${JSON.stringify(server.url)}
    const create = (options = {}, pace = 1) => createMeter({
      url, livestreamId: ${JSON.stringify(seller.livestreamId)}, getToken: () => ${JSON.stringify(seller.token)},
      logger: { warn() {}, error() {} }, ...options,
    }, undefined, pace)
    const left = () => process.getActiveResourcesInfo().filter((kind) => !/Pipe|TTY|FSReq|MessagePort/.test(kind))
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
    // A socket takes a while to close; a timer that outlives them all is a fault.
    const closed = async () => {
      await sleep(150)
      for (let i = 0; i < 200 && left().some((kind) => kind.endsWith('Wrap')); i += 1) await sleep(50)
    }
  `
  const args = ['--import', 'tsx', '--input-type=module', '--eval', prologue + script]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 })
  return stdout.trim()
}

const CASES = {
  'before it was connected': 'create().destroy()',
  'while it connects': 'const m = create(); m.connect(); await sleep(1); m.destroy()',
  'while it is live': 'const m = create(); await m.start(); m.destroy()',
  'after the end': 'const m = create(); await m.start(); await m.end(); m.destroy()',
  'while a call is under way': 'const m = create(); await m.start(); void m.ping(); m.destroy()',
  'while it waits to connect again': `
    const m = create({ url: 'http://127.0.0.1:9' }); m.connect(); await sleep(400); m.destroy()`,
  'while it is served over REST': `
    const m = create({ url: url + '/nothing-but-rest' }); m.connect(); await sleep(50); m.destroy()`,
  'while getToken hangs, and calls wait': `
    const m = create({ getToken: () => new Promise(() => {}) })
    void m.start(); void m.ping(); await sleep(50); m.destroy()`,
  'after a refusal, with no call of destroy': "await create({ livestreamId: 'nowhere' }).start().catch(() => {})",
}

test('nothing is left of a destroyed meter: no listener, no timer, no socket; the process ends by itself', async () => {
  const runs = Object.entries(CASES).map(
    ([when, script]) => `{ ${script} }; await closed(); found[${JSON.stringify(when)}] = left();`,
  )
  const printed = await page(`const found = {}; ${runs.join('\n')}; console.log(JSON.stringify(found))`)
  assert.equal(JSON.parse(printed), Object.fromEntries(Object.keys(CASES).map((when) => [when, []])))
})

test('importing it needs no window, and touches nothing', async () => {
  const folder = fileURLToPath(new URL('../../client-sdk/src/', import.meta.url))
  const before = 'const before = Object.keys(globalThis).join();'
  const imports = ['index', 'react', 'legacy', 'global'].map((name) => `await import('${folder}${name}.ts');`).join('')
  assert.is(
    await page(
      `${before}${imports} await closed(); console.log(before === Object.keys(globalThis).join(), left().length)`,
    ),
    'true 0',
  )
})

test.run()
