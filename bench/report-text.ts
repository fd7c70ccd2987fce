import { readdirSync, readFileSync } from 'node:fs'
import { drawChart, number } from './chart.js'
import { type Chart, median, RESULTS, type SavedResult, type Table, type Target } from './result.js'

/** BENCHMARKS.md and its charts, by their paths in the repository, as they follow from the results that are kept. */
export function makeReport(): ReadonlyMap<string, string> {
  const names = readdirSync(RESULTS).filter((file) => file.endsWith('.json'))
  const results = names
    .sort()
    .map((file): [string, SavedResult] => [file.slice(0, -5), JSON.parse(readFileSync(RESULTS + file, 'utf8'))])
  const charts = results.flatMap(([name, result]) =>
    result.charts.map((chart, index): [string, string] => [chartPath(name, index), drawChart(chart)]),
  )
  return new Map([['BENCHMARKS.md', document(results)], ...charts])
}

const chartPath = (name: string, index: number): string => `bench/charts/${name}-${index + 1}.svg`

function document(results: readonly [string, SavedResult][]): string {
  return `${[
    '# Benchmarks',
    'Made by `npm run bench:report` from bench/results/, which the benchmarks write; nothing here is typed by hand. Numbers of ' +
      'one run, on one machine: what counts is the ratio between servers that were measured in turn.',
    '## Targets',
    table({
      title: '',
      columns: ['what', 'goal', 'measured (median)', 'met'],
      rows: results.flatMap(([, { targets }]) => targets.map(targetRow)),
    }),
    ...results.flatMap(([name, result]) => section(name, result)),
  ].join('\n\n')}\n`
}

function targetRow({ what, bound, goal, unit = '', measured, floor }: Target): string[] {
  const value = median(measured)
  const isMet = bound === 'at least' ? value >= goal : value <= goal
  const withUnit = (number: number): string => `${Number(number.toFixed(3))}${unit && ` ${unit}`}`
  const range = `${withUnit(Math.min(...measured))} to ${withUnit(Math.max(...measured))}`
  return [
    what,
    `${bound} ${withUnit(goal)}`,
    `**${withUnit(value)}** (${range})`,
    isMet ? 'yes' : `no${floor ? `: ${floor}` : ''}`,
  ]
}

function section(
  name: string,
  { title, command, about, at, machine, tables, charts, notes = [] }: SavedResult,
): string[] {
  return [
    `## ${title}`,
    about,
    `\`${command}\`, ${at.slice(0, 10)}, ${machine}.`,
    ...charts.map((chart, index) => `![${told(chart)}](${chartPath(name, index)})`),
    ...tables.flatMap((one) => [`### ${one.title}`, table(one)]),
    ...(notes.length > 0 ? ['### Worth knowing', notes.map((note) => `- ${note}`).join('\n')] : []),
  ]
}

const told = ({ title, unit, bars }: Chart): string =>
  `${title}: ${bars.map(({ label, value }) => `${label} ${number(value)} ${unit}`).join(', ')}`

function table({ columns, rows }: Table): string {
  return [columns, columns.map((_, index) => (index === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n')
}
