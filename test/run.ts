/**
 * Runs the test files, each in a process of its own: `node --import tsx test/run.ts [filter…]`. A filter is a part of a
 * file's path. The last line is `N passed, N failed`; the exit code is 1 when anything failed or nothing ran.
 */
import { fork } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FileReport } from './run-file.js'

const TEST_FOLDER = fileURLToPath(new URL('.', import.meta.url))
const FILES_AT_ONCE = 2
const FILE_LIMIT_MS = 240_000
/** How long a finished file's output is waited for: a process that it left behind can hold the pipe open for ever. */
const OUTPUT_LIMIT_MS = 1_000

interface FileResult extends FileReport {
  readonly output: string
}

function testFiles(filters: readonly string[]): string[] {
  return readdirSync(TEST_FOLDER, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll(sep, '/'))
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => filters.length === 0 || filters.some((filter) => `test/${file}`.includes(filter)))
    .sort()
}

function runFile(file: string): Promise<FileResult> {
  const child = fork(join(TEST_FOLDER, 'run-file.ts'), [join(TEST_FOLDER, file)], {
    execArgv: ['--import', 'tsx'],
    silent: true,
  })
  let report: FileReport | undefined
  let output = ''
  let timedOut = false
  child.on('message', (message) => {
    report = message as FileReport
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const limit = setTimeout(() => {
    timedOut = true
    child.kill('SIGKILL')
  }, FILE_LIMIT_MS)
  return new Promise((resolve) => {
    const finish = (code: number | null, signal: NodeJS.Signals | null) => {
      if (timedOut) output += `\nStopped: not over after ${FILE_LIMIT_MS / 1_000} s.`
      else if (!report) output += `\nThe file ended (${signal ?? code}) before it told its result.`
      const { passed, failed, leftOut } = report ?? { passed: 0, failed: 0, leftOut: [] }
      // A crash after the last test, an unhandled rejection say, shows in the exit code only.
      resolve({ passed, failed: code === 0 && report ? failed : Math.max(failed, 1), leftOut, output })
    }
    child.on('close', finish)
    child.on('exit', (code, signal) => {
      clearTimeout(limit)
      setTimeout(finish, OUTPUT_LIMIT_MS, code, signal).unref()
    })
  })
}

const waiting = testFiles(process.argv.slice(2))
let passed = 0
let failed = 0
const leftOut = new Map<string, number>()

async function work(): Promise<void> {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const startedAt = performance.now()
    const result = await runFile(file)
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    passed += result.passed
    failed += result.failed
    for (const why of result.leftOut) leftOut.set(why, (leftOut.get(why) ?? 0) + 1)
    console.log(`${result.failed > 0 ? 'FAIL' : 'ok  '} ${file}  ${result.passed} passed  ${seconds} s`)
    if (result.failed > 0) console.log(result.output)
  }
}

await Promise.all(Array.from({ length: FILES_AT_ONCE }, work))
for (const [why, count] of leftOut) console.log(`left out: ${count} tests, since ${why}`)
console.log(`${passed} passed, ${failed} failed`)
// Also leaves where a file's stray process still holds a pipe to this one.
process.exit(failed > 0 || passed + leftOut.size === 0 ? 1 : 0)
