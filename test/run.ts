/**
 * Runs the test files, each in a process of its own: `node --import tsx test/run.ts [filter…]`. A filter is a part of a
 * file's path. What is about the database runs twice, on SQLite and on PostgreSQL. The last line is `N passed, N failed`; the exit code is 1 when anything failed or nothing ran.
 */
import { fork } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FileReport } from './run-file.js'
import { startPostgres, type TestPostgres } from './support/postgres.js'

const TEST_FOLDER = fileURLToPath(new URL('.', import.meta.url))
/** What is about the database, whichever it is. */
const ON_BOTH = /^(store|services)\//
/** What needs several servers on one database. */
const ON_POSTGRES = /^nodes\//
const FILES_AT_ONCE = 2
const FILE_LIMIT_MS = 600_000
/** How long a finished file's output is waited for: a process that it left behind can hold the pipe open for ever. */
const OUTPUT_LIMIT_MS = 1_000

interface Task {
  readonly file: string
  /** The PostgreSQL to run it on; undefined for SQLite. */
  readonly postgresUrl?: string
}

interface FileResult extends FileReport {
  readonly output: string
}

function testFiles(filters: readonly string[]): string[] {
  return readdirSync(TEST_FOLDER, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll(sep, '/'))
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => filters.length === 0 || filters.some((filter) => `test/${file}`.includes(filter)))
    .sort((a, b) => Number(isInBrowser(b)) - Number(isInBrowser(a)) || (a < b ? -1 : 1))
}

/**
 * Pages wait for real seconds, and should not beside what takes all of the machine: they come first. What fails there is
 * told, and tried once more with the machine to itself, since a slow browser is nobody's money; nothing else gets a second try.
 */
const isInBrowser = (file: string): boolean => file.startsWith('seller-page/') || file === 'client-sdk/browser.test.ts'

function runFile({ file, postgresUrl = '' }: Task): Promise<FileResult> {
  const child = fork(join(TEST_FOLDER, 'run-file.ts'), [join(TEST_FOLDER, file)], {
    execArgv: ['--import', 'tsx'],
    silent: true,
    env: { ...process.env, TEST_POSTGRES_URL: postgresUrl },
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

/** The files on PostgreSQL too, one beside the other so that neither database waits for the other's turn. */
function tasksOf(files: readonly string[], postgresUrl: string | undefined): Task[] {
  return files.flatMap((file) => {
    const onPostgres = postgresUrl === undefined ? [] : [{ file, postgresUrl }]
    if (ON_POSTGRES.test(file)) return onPostgres
    return ON_BOTH.test(file) ? [{ file }, ...onPostgres] : [{ file }]
  })
}

const leftOut = new Map<string, number>()
const files = testFiles(process.argv.slice(2))
const wantPostgres = files.filter((file) => ON_BOTH.test(file) || ON_POSTGRES.test(file)).length
let postgres: TestPostgres | undefined
if (wantPostgres > 0) {
  try {
    postgres = await startPostgres()
  } catch (error) {
    leftOut.set(`PostgreSQL could not be started: ${error}`, wantPostgres)
  }
}
const waiting = tasksOf(files, postgres?.url)
const again: Task[] = []
let passed = 0
let failed = 0

async function runAndTell(task: Task): Promise<FileResult> {
  const startedAt = performance.now()
  const result = await runFile(task)
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  const on = task.postgresUrl === undefined ? '' : ' on PostgreSQL'
  console.log(`${result.failed > 0 ? 'FAIL' : 'ok  '} ${task.file}${on}  ${result.passed} passed  ${seconds} s`)
  if (result.failed > 0) console.log(result.output)
  return result
}

function addUp(result: FileResult): void {
  passed += result.passed
  failed += result.failed
  for (const why of result.leftOut) leftOut.set(why, (leftOut.get(why) ?? 0) + 1)
}

async function work(): Promise<void> {
  for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
    const result = await runAndTell(task)
    if (result.failed > 0 && isInBrowser(task.file)) again.push(task)
    else addUp(result)
  }
}

await Promise.all(Array.from({ length: FILES_AT_ONCE }, work))
for (const task of again) {
  console.log(`again, alone: ${task.file}`)
  addUp(await runAndTell(task))
}
await postgres?.stop()
for (const [why, count] of leftOut) console.log(`left out: ${count} ${count === 1 ? 'test' : 'tests'}, since ${why}`)
console.log(`${passed} passed, ${failed} failed`)
// Also leaves where a file's stray process still holds a pipe to this one.
process.exit(failed > 0 || passed + leftOut.size === 0 ? 1 : 0)
