import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makeReport } from '../bench/report-text.js'

test('BENCHMARKS.md and its charts are what the committed results make', () => {
  const report = makeReport()
  for (const [path, text] of report) assert.is(readFileSync(path, 'utf8'), text, `${path}: run npm run bench:report`)
  const kept = ['BENCHMARKS.md', ...readdirSync('bench/charts').map((file) => `bench/charts/${file}`)]
  assert.equal(kept.sort(), [...report.keys()].sort(), 'a chart that no result makes')
})

test.run()
