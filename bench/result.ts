import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// What a benchmark found. BENCHMARKS.md and its charts are made from these files by bench/report.ts, and from nothing else.

/** Where the results are kept: bench/results/NAME.json. */
export const RESULTS = fileURLToPath(new URL('./results/', import.meta.url))
/** Names another folder to write to, for what is not to be kept. */
export const RESULTS_VARIABLE = 'TALLYLIGHT_BENCH_RESULTS'

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  /** Cells are text as they are to be read, with their units. */
  readonly rows: readonly (readonly string[])[]
}

/** Bars side by side, in one unit. */
export interface Chart {
  readonly title: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
  readonly bars: readonly { readonly label: string; readonly value: number; readonly who: 'ours' | 'limit' | 'other' }[]
}

/** What is to be reached, as a number made in one run: nearly always a ratio. */
export interface Target {
  readonly what: string
  readonly bound: 'at least' | 'at most'
  readonly goal: number
  /** Where the number is no ratio: 'ms', say. */
  readonly unit?: string
  /** One for each pair of turns; the median of them counts. */
  readonly measured: readonly number[]
  /** Why it is missed, where it is: what the floor is. */
  readonly floor?: string
}

export interface BenchResult {
  readonly title: string
  readonly command: string
  /** What was measured and how, in plain words. */
  readonly about: string
  readonly tables: readonly Table[]
  readonly charts: readonly Chart[]
  readonly targets: readonly Target[]
  /** What was tried and did not pay, and what else is worth knowing: one sentence or two each. */
  readonly notes?: readonly string[]
}

export interface SavedResult extends BenchResult {
  readonly at: string
  readonly machine: string
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** @param share 0.99 for the 99th percentile */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

/** Keeps what a benchmark found, with the machine that it ran on, for the report. */
export function saveResult(name: string, result: BenchResult): void {
  const [cpu] = cpus()
  const machine = `${cpus().length} cores (${cpu?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node ${process.version}`
  const saved: SavedResult = { ...result, at: new Date().toISOString(), machine }
  const folder = process.env[RESULTS_VARIABLE] ?? RESULTS
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(saved, null, 2)}\n`)
}
