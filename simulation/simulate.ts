/**
 * Lives through random hours of many sellers and several nodes, and holds what came of it against the rules of SPEC.md:
 * `npm run simulate -- --seed 7 --hours 12 --sellers 500 --nodes 3`. Exit code 1 where something is wrong; then it prints the seed
 * and the shortest history that shows it. `--history FILE` plays such a history again.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Databases, makeDatabases, makePostgresDatabases } from './database.js'
import { type History, longHistory, unroll } from './history.js'
import { judge, type Verdict, wrongThings } from './judge.js'
import { sellerName } from './play.js'
import { type Shortest, shortest } from './shortest.js'

const SHRINK_LIMIT_MS = 60_000
const FAULTS_SHOWN = 10

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string' },
    hours: { type: 'string', default: '24' },
    sellers: { type: 'string', default: '1000' },
    nodes: { type: 'string', default: '3' },
    history: { type: 'string' },
    postgres: { type: 'boolean', default: false },
  },
})

function wholeNumber(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`--${name}: ${text} is not a whole number above 0`)
  return number
}

function historyToPlay(seed: number): History {
  if (options.history !== undefined) return JSON.parse(readFileSync(options.history, 'utf8')) as History
  const sizes = {
    hours: wholeNumber('hours', options.hours),
    sellers: wholeNumber('sellers', options.sellers),
    nodes: wholeNumber('nodes', options.nodes),
  }
  return longHistory(sizes, seed)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function printSummary(verdict: Verdict, history: History, seconds: number): void {
  const { counts, totals } = verdict
  const numbers = { sellers: history.sellers.length, ...totals, ...counts, differences: wrongThings(verdict).length }
  for (const [name, number] of Object.entries(numbers)) {
    print(`${String(number).padStart(9)}  ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`)
  }
  print(`in ${seconds.toFixed(1)} s`)
}

function printShortest({ history, wrong }: Shortest): void {
  print('\nThe shortest history that shows something wrong:')
  for (const { atMs, seller, act, crashAfter } of unroll(history)) {
    const at = new Date(atMs).toISOString().slice(8, -1).replace('T', ' ')
    const { kind, ...more } = act
    const crash = crashAfter === null ? '' : `, crashes after ${crashAfter} statements`
    print(`  day ${at}  ${seller === null ? 'the world' : sellerName(seller)}: ${kind} ${JSON.stringify(more)}${crash}`)
  }
  for (const line of wrong.slice(0, FAULTS_SHOWN)) print(`  ${line}`)
  print(`For --history:\n${JSON.stringify(history)}`)
}

async function simulate(databases: Databases): Promise<boolean> {
  const seed = options.seed === undefined ? randomSeed() : wholeNumber('seed', options.seed)
  const history = historyToPlay(seed)
  const again = options.history === undefined ? `--seed ${seed}` : `--history ${options.history}`
  print(`${again}: ${history.sellers.length} sellers, ${history.nodes} nodes, ${history.untilMs / 3_600_000} hours`)
  const began = performance.now()
  let told = began
  const verdict = await judge(history, databases, {
    onProgress(trueMs) {
      if (performance.now() - told < 5_000) return
      told = performance.now()
      print(`  ${Math.round((100 * trueMs) / history.untilMs)} % after ${((told - began) / 1_000).toFixed(0)} s`)
    },
  })
  printSummary(verdict, history, (performance.now() - began) / 1_000)
  const wrong = wrongThings(verdict)
  if (wrong.length === 0) return true
  print(`\nSomething is wrong with ${again}:`)
  for (const line of wrong.slice(0, FAULTS_SHOWN)) print(`  ${line}`)
  const sellers = history.sellers.flatMap((_, seller) => (verdict.differences.has(sellerName(seller)) ? [seller] : []))
  const judged = async (one: History) => wrongThings(await judge(one, databases))
  printShortest(await shortest(history, sellers, judged, SHRINK_LIMIT_MS))
  return false
}

function randomSeed(): number {
  return 1 + Math.floor(Math.random() * 1_000_000_000)
}

const databases = await (options.postgres ? makePostgresDatabases() : makeDatabases())
try {
  process.exitCode = (await simulate(databases)) ? 0 : 1
} finally {
  await databases.close()
}
