import type { Chart } from './result.js'

const WIDTH = 800
const LEFT = 230
const RIGHT = 130
const TOP = 62
const BAR = 22
const STEP = 34

/** Bars as an SVG picture, which brings its own ground, so that it can be read on any page, light or dark. */
export function drawChart({ title, unit, better, bars }: Chart): string {
  const most = Math.max(...bars.map(({ value }) => value))
  const height = TOP + bars.length * STEP + 12
  const said = bars.map(({ label, value }) => `${label}: ${number(value)} ${unit}`).join('; ')
  const rows = bars.flatMap(({ label, value, who }, index) => {
    const y = TOP + index * STEP
    const width = most > 0 ? Math.max(1, Math.round(((WIDTH - LEFT - RIGHT) * value) / most)) : 1
    const middle = y + BAR / 2
    return [
      `  <text class="${who === 'ours' ? 'ours-label' : 'label'}" x="${LEFT - 10}" y="${middle}" text-anchor="end">${escaped(label)}</text>`,
      `  <rect class="${who}" x="${LEFT}" y="${y}" width="${width}" height="${BAR}" rx="3"/>`,
      `  <text class="value" x="${LEFT + width + 8}" y="${middle}">${number(value)} ${escaped(unit)}</text>`,
    ]
  })
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc">`,
    `  <title id="title">${escaped(title)}</title>`,
    `  <desc id="desc">${escaped(said)}. ${better === 'higher' ? 'Higher' : 'Lower'} is better.</desc>`,
    '  <style>',
    '    text { font: 13px system-ui, sans-serif; fill: #1f2328; dominant-baseline: central }',
    '    .title, .ours-label { font-weight: 600 } .title { font-size: 15px } .hint { fill: #59636e }',
    '    .ground { fill: #ffffff } .ours { fill: #0969da } .limit { fill: #afb8c1 } .other { fill: #8250df }',
    '    @media (prefers-color-scheme: dark) {',
    '      text { fill: #f0f6fc } .hint { fill: #9198a1 }',
    '      .ground { fill: #0d1117 } .ours { fill: #4493f8 } .limit { fill: #59636e } .other { fill: #ab7df8 }',
    '    }',
    '  </style>',
    `  <rect class="ground" width="${WIDTH}" height="${height}" rx="6"/>`,
    `  <text class="title" x="16" y="22">${escaped(title)}</text>`,
    `  <text class="hint" x="16" y="43">${better === 'higher' ? 'Higher' : 'Lower'} is better</text>`,
    ...rows,
    '</svg>',
  ].join('\n')}\n`
}

/** Three digits, and whole numbers where those take more. */
export function number(value: number): string {
  return value.toLocaleString('en', value < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 })
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
