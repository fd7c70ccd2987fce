import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { commentsOf, readProjectFile, type Source, sourcesIn, withoutComments } from './sources.js'

/** The rules of a specification: a list item each, that begins with the ID in bold. */
function rulesOf(spec: string): string[] {
  return [...spec.matchAll(/^- \*\*([A-Z]\d+)\*\*/gm)].map(([, id = '']) => id)
}

/** What is named like a rule: a letter that the specification uses, and a number. */
function citedIn(text: string, rules: readonly string[]): string[] {
  const letters = [...new Set(rules.map((id) => id[0]))].join('')
  return text.match(new RegExp(`\\b[${letters}]\\d{1,2}\\b`, 'g')) ?? []
}

/** The titles of a file's tests, and the `rule` of each case where a table gives titles their rule. */
function titlesOf({ text }: Source): string[] {
  const code = withoutComments(text)
  const titles = code.matchAll(/\btest\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)
  const cases = code.matchAll(/\brules?: (['"`])([^'"`]*)\1/g)
  return [...titles, ...cases].map(([, , title = '']) => title)
}

const rules = rulesOf(readProjectFile('SPEC.md'))
const tests = sourcesIn('test').filter(({ path }) => path.endsWith('.test.ts'))

test('rules: every rule of SPEC.md is cited by a test', () => {
  assert.ok(rules.length > 0, 'SPEC.md defines no rule: has its form changed?')
  assert.is(new Set(rules).size, rules.length, 'an ID is defined twice')
  const cited = new Set(tests.flatMap((source) => titlesOf(source).flatMap((title) => citedIn(title, rules))))
  assert.equal(
    rules.filter((id) => !cited.has(id)),
    [],
    'no test cites these rules',
  )
})

test('rules: every rule that code, comments and tests cite is defined', () => {
  const cited = [
    ...sourcesIn('server', 'migrations', 'client-sdk', 'test').map(({ path, text }) => ({
      path,
      texts: commentsOf(text),
    })),
    ...tests.map((source) => ({ path: source.path, texts: titlesOf(source) })),
  ]
  const unknown = cited.flatMap(({ path, texts }) =>
    citedIn(texts.join('\n'), rules)
      .filter((id) => !rules.includes(id))
      .map((id) => `${path} cites ${id}`),
  )
  assert.equal(unknown, [])
})

test('rules: finds what is defined and what is cited', () => {
  assert.equal(rulesOf('- **B1** One\n- **B10** Two\n**B3** is no list item\n'), ['B1', 'B10'])
  assert.equal(citedIn('B1, B2-B12: not UTF8, X1 or AB1', ['B1', 'A1']), ['B1', 'B2', 'B12'])
  // Z is no section of SPEC.md, so that this file cites nothing by its examples.
  const text = "test('Z4, Z5: one', () => {})\ntest(\n  `Z1: two`)\nconst cases = [{ rule: 'Z2' }]\n// test('Z3: no')"
  assert.equal(titlesOf({ path: '', text }), ['Z4, Z5: one', 'Z1: two', 'Z2'])
})

test.run()
