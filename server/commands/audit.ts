import type { Config } from '../config.js'
import { auditDatabase } from '../store/audit.js'
import { withDatabase } from './with-database.js'

/**
 * `tallylight audit`: checks the data against the rules, and prints what breaks them.
 * @returns whether all is well
 */
export async function audit(config: Config, print: (line: string) => void): Promise<boolean> {
  return withDatabase(config, async ({ db }) => {
    const { checked, breaches } = await auditDatabase(db)
    for (const { rule, text } of breaches) print(`${rule}: ${text}`)
    const facts = Object.entries(checked).map(([what, count]) => `${count} ${what}`)
    print(
      breaches.length === 0
        ? `audit clean: ${facts.join(', ')}`
        : `audit found ${breaches.length} ${breaches.length === 1 ? 'breach' : 'breaches'} in ${facts.join(', ')}`,
    )
    return breaches.length === 0
  })
}
