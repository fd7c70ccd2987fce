import type { KyselyPlugin, PluginTransformResultArgs, Transaction, TransactionBuilder } from 'kysely'
import type { Db } from '../server/store/database.js'
import type { Schema } from '../server/store/schema.js'

/** What a planned crash throws inside a transaction. */
export class Crash extends Error {
  override readonly name = 'Crash'
}

/** A database whose next transaction can be made to crash. */
export interface CrashingDb {
  readonly db: Db
  /**
   * Crashes the next transaction once it has executed so many statements, or before its commit where it has fewer; null
   * calls that off.
   */
  crashAfter(statements: number | null): void
}

export function crashingDb(db: Db): CrashingDb {
  let left: number | null = null
  const countdown: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }: PluginTransformResultArgs) {
      if (left === null) return result
      left -= 1
      if (left > 0) return result
      left = null
      throw new Crash('crashed after a statement')
    },
  }

  function wrapped(builder: TransactionBuilder<Schema>): TransactionBuilder<Schema> {
    return new Proxy(builder, {
      get(target, name) {
        if (name === 'execute') {
          return <T>(work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> =>
            target.execute(async (tx) => {
              if (left === null) return work(tx)
              const value = await work(tx.withPlugin(countdown))
              if (left === null) return value
              left = null
              throw new Crash('crashed before the commit')
            })
        }
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...values: unknown[]) => {
          const made: unknown = value.apply(target, values)
          return name === 'setAccessMode' || name === 'setIsolationLevel'
            ? wrapped(made as TransactionBuilder<Schema>)
            : made
        }
      },
    })
  }

  return {
    db: new Proxy(db, {
      get(target, name) {
        if (name === 'transaction') return () => wrapped(target.transaction())
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    }),
    crashAfter(statements) {
      left = statements
    },
  }
}
