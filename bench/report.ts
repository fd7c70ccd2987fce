import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { makeReport } from './report-text.js'

// Writes BENCHMARKS.md and the charts anew, from what the benchmarks found last.
//   npm run bench:report

rmSync('bench/charts', { recursive: true, force: true })
mkdirSync('bench/charts')
for (const [path, text] of makeReport()) writeFileSync(path, text)
