import { posix } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Source, sourcesIn, withoutComments } from './sources.js'

/** From the ground up. What stands on a floor may import from its own floor and from those below it. */
const FLOORS = [
  { name: 'client-sdk/protocol', holds: /^client-sdk\/protocol\// },
  { name: 'server/domain', holds: /^server\/domain\// },
  // Single files with one subject each: the clock, the log, settings, tokens.
  { name: 'server/*.ts', holds: /^server\/(?!app\.ts|cli\.ts)[^/]+\.ts$/ },
  { name: 'migrations', holds: /^migrations\// },
  { name: 'server/store', holds: /^server\/store\// },
  { name: 'server/services', holds: /^server\/services\// },
  { name: 'server/transport', holds: /^server\/transport\// },
  { name: 'server/app.ts', holds: /^server\/app\.ts$/ },
  { name: 'server/commands', holds: /^server\/commands\// },
  { name: 'server/cli.ts', holds: /^server\/cli\.ts$/ },
] as const

type Floor = (typeof FLOORS)[number]['name']

/** Who imports nothing but what is named here: packages, or floors. */
const IMPORTS_ONLY: Partial<Record<Floor, readonly string[]>> = {
  'client-sdk/protocol': ['client-sdk/protocol'],
  'server/domain': ['server/domain', 'client-sdk/protocol'],
  'server/*.ts': ['server/*.ts', 'server/domain', 'client-sdk/protocol', 'a package'],
  migrations: ['migrations', 'kysely'],
}

/** What is made once and handed on (app.ts): between the ground and the roof only its types are imported. */
const HANDED_ON = /^server\/(clock|log|config)\.ts$/
const TAKES_WHAT_IT_IS_HANDED: readonly Floor[] = ['server/store', 'server/services', 'server/transport']
/** How long something took or takes, and what an answer says of its making: nobody's decision. */
const FREE_VALUES: readonly string[] = ['uptimeMs', 'httpDate']

const READS_CLOCK = /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b/
const READS_ENVIRONMENT = /\bprocess\.env\b/

interface Import {
  readonly target: string
  /** The names that are imported as values. */
  readonly values: readonly string[]
}

function importsOf(code: string): Import[] {
  const statements = code.matchAll(/\b(?:import|export)\s+(type\s)?([^'"`;]*?)\bfrom\s*['"]([^'"]+)['"]/g)
  const others = code.matchAll(/\bimport\s*\(?\s*['"]([^'"]+)['"]/g)
  return [
    ...[...statements].map(([, type, names = '', target = '']) => ({ target, values: type ? [] : valuesIn(names) })),
    ...[...others].map(([, target = '']) => ({ target, values: ['*'] })),
  ]
}

function valuesIn(names: string): string[] {
  return names
    .replace(/[{}]/g, '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
}

function floorOf(path: string): number {
  return FLOORS.findIndex(({ holds }) => holds.test(path))
}

/** The file that a relative import means; null for a package. */
function resolve(from: string, target: string): string | null {
  return target.startsWith('.') ? posix.join(posix.dirname(from), target).replace(/\.js$/, '.ts') : null
}

function faultsOfImport(path: string, { target, values }: Import): string[] {
  const from = FLOORS[floorOf(path)]
  const file = resolve(path, target)
  const to = file === null ? undefined : FLOORS[floorOf(file)]
  if (!from || (file !== null && !to)) return [`${path} imports ${target}, which is on no floor`]
  const faults: string[] = []
  if (to && FLOORS.indexOf(to) > FLOORS.indexOf(from)) faults.push(`${path} imports ${target}, which is above it`)
  const only = IMPORTS_ONLY[from.name]
  if (only && !(to ? only.includes(to.name) : only.includes(target) || only.includes('a package'))) {
    faults.push(`${path} imports ${target}, and ${from.name} imports only ${only.join(', ')}`)
  }
  if (to?.name === 'migrations' && !['migrations', 'server/store'].includes(from.name)) {
    faults.push(`${path} imports ${target}, and only the store migrates`)
  }
  const taken = values.filter((name) => !FREE_VALUES.includes(name))
  if (file !== null && HANDED_ON.test(file) && TAKES_WHAT_IT_IS_HANDED.includes(from.name) && taken.length > 0) {
    faults.push(`${path} imports ${taken} from ${target}, which it should be handed`)
  }
  return faults
}

function faultsOf({ path, text }: Source): string[] {
  const code = withoutComments(text)
  const faults = floorOf(path) < 0 ? [`${path} is on no floor`] : []
  if (READS_CLOCK.test(code) && path !== 'server/clock.ts') faults.push(`${path} reads the time`)
  if (READS_ENVIRONMENT.test(code) && !['server/config.ts', 'server/cli.ts'].includes(path)) {
    faults.push(`${path} reads the environment`)
  }
  return [...faults, ...importsOf(code).flatMap((one) => faultsOfImport(path, one))]
}

test('house: imports only point downwards, and only the clock reads the time', () => {
  const sources = sourcesIn('client-sdk/protocol', 'server', 'migrations')
  for (const { name, holds } of FLOORS) {
    assert.ok(
      sources.some(({ path }) => holds.test(path)),
      `${name} is empty: has it moved?`,
    )
  }
  assert.equal(sources.flatMap(faultsOf), [])
})

test('house: what browsers get imports nothing of the server', () => {
  const sources = sourcesIn('client-sdk')
  assert.ok(sources.length > 0)
  const leaving = sources.flatMap(({ path, text }) =>
    importsOf(withoutComments(text))
      .map(({ target }) => resolve(path, target))
      .filter((file) => file !== null && !file.startsWith('client-sdk/'))
      .map((file) => `${path} imports ${file}`),
  )
  assert.equal(leaving, [])
})

const planted = [
  { path: 'server/domain/a.ts', text: "import { b } from '../store/b.js'", fault: 'above it' },
  { path: 'server/domain/a.ts', text: "import type { B } from '../clock.js'", fault: 'above it' },
  { path: 'server/domain/a.ts', text: "import { readFileSync } from 'node:fs'", fault: 'imports only' },
  { path: 'server/domain/a.ts', text: "import 'zod'", fault: 'imports only' },
  { path: 'server/store/a.ts', text: "export {\n  b,\n} from '../services/b.js'", fault: 'above it' },
  { path: 'server/store/a.ts', text: "const b = await import('../services/b.js')", fault: 'above it' },
  { path: 'server/services/a.ts', text: "import { type Clock, systemClock } from '../clock.js'", fault: 'handed' },
  { path: 'server/services/a.ts', text: "import { up } from '../../migrations/index.js'", fault: 'only the store' },
  { path: 'server/log.ts', text: "import type { Db } from './store/database.js'", fault: 'above it' },
  { path: 'migrations/0002-b.ts', text: "import { sql } from 'pg'", fault: 'imports only' },
  { path: 'server/helpers/a.ts', text: '', fault: 'on no floor' },
  { path: 'server/services/a.ts', text: 'const now = new Date()', fault: 'reads the time' },
  { path: 'server/app.ts', text: 'process.env.PORT', fault: 'reads the environment' },
]
for (const { fault, ...source } of planted) {
  test(`house: finds a planted fault: ${source.path}: ${source.text || 'its place'}`, () => {
    assert.match(faultsOf(source).join(), fault)
  })
}

const innocent = [
  {
    path: 'server/services/a.ts',
    text: "import type { Clock } from '../clock.js'\nimport { uptimeMs } from '../clock.js'",
  },
  {
    path: 'server/store/a.ts',
    text: "// import '../services/b.js' and Date.now()\nimport { up } from '../../migrations/index.js'",
  },
  { path: 'server/domain/a.ts', text: 'const at = new Date(0)' },
]
for (const source of innocent) {
  test(`house: finds nothing in ${source.text.split('\n')[0]}`, () => assert.equal(faultsOf(source), []))
}

test.run()
