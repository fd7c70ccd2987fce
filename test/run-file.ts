import { pathToFileURL } from 'node:url'
import { leftOut } from './left-out.js'

/** What a test file came to, sent to the runner. A file that sends nothing has failed. */
export interface FileReport {
  readonly passed: number
  readonly failed: number
  /** Why tests were left out, once for each. */
  readonly leftOut: readonly string[]
}

/** A suite as uvu queues it (uvu/dist/index.mjs, `runner`): errors as one text, tests that passed, skipped, all. */
type QueuedSuite = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>

// uvu's own `exec` exits 0 when a `before` hook throws or when nothing was queued, so its queue is run here instead.
// These two globals are how uvu's own command line defers its run; they are read when uvu is first imported.
const queue: QueuedSuite[] = []
Object.assign(globalThis, { UVU_DEFER: 1, UVU_QUEUE: [queue] })

const { test } = await import('uvu')
const addBeforeHook = test.before
// uvu swallows what a `before` hook throws, and then counts no test: say why.
test.before = Object.assign((hook: Parameters<typeof addBeforeHook>[0]) => {
  addBeforeHook(async (context) => {
    try {
      await hook(context)
    } catch (error) {
      console.error('A before hook threw:', error)
      throw error
    }
  })
}, addBeforeHook)

const [, , file = ''] = process.argv
await import(pathToFileURL(file).href)

let passed = 0
let failed = 0
for (const run of queue) {
  try {
    const [errors, ran, , total] = await run()
    passed += ran
    failed += total - ran
    if (errors !== true) console.error(errors)
    else if (ran < total) console.error(`${total - ran} did not run: a hook threw, or a test threw what is no Error.`)
  } catch (error) {
    console.error('An after hook threw:', error)
    failed += 1
  }
}
if (passed + failed + leftOut.length === 0) {
  console.error('No test ran. Does the file end with test.run()?')
  failed += 1
}
process.send?.({ passed, failed, leftOut } satisfies FileReport)
if (failed > 0) process.exitCode = 1
