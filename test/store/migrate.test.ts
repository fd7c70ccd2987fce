import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MIGRATIONS } from '../../migrations/index.js'
import { SetupError } from '../../server/domain/errors.js'
import { type Db, openDatabase } from '../../server/store/database.js'
import { isPostgres } from '../../server/store/dialect.js'
import { heldRows } from '../../server/store/locks.js'
import { migrate, misfitOf } from '../../server/store/migrate.js'
import { transact } from '../../server/store/transact.js'
import { type FreshDatabase, freshDatabase } from '../support/fresh-database.js'
import { runCli } from '../support/second-process.js'

const NAMES = Object.keys(MIGRATIONS)

function testOnEmpty(title: string, run: (database: FreshDatabase) => Promise<void>): void {
  test(title, async () => {
    const database = await freshDatabase({ migrated: false })
    try {
      await run(database)
    } finally {
      await database.close()
    }
  })
}

async function schemaOf(db: Db): Promise<unknown[]> {
  const { rows } = isPostgres(db)
    ? await sql`
        select 'column' as type, table_name || '.' || column_name as name, data_type as sql from information_schema.columns
          where table_schema = 'public'
        union all select 'trigger', tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
        union all select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
        order by 1, 2`.execute(db)
    : await sql`select type, name, sql from sqlite_master order by name`.execute(db)
  return rows
}

const onIt = ({ url }: FreshDatabase) => ({ databaseUrl: url })

testOnEmpty('C: an empty database is brought up to date once', async ({ db }) => {
  assert.is(await misfitOf(db), `migrations to be run: ${NAMES.join(', ')}`)
  assert.equal(await migrate(db), NAMES)
  assert.is(await misfitOf(db), null)
  const schema = await schemaOf(db)
  assert.equal(await migrate(db), [])
  assert.equal(await schemaOf(db), schema)
})

testOnEmpty('C: two connections that migrate at once run each migration once', async (database) => {
  const ran = await Promise.all([database.db, database.another().db, database.another().db].map(migrate))
  assert.equal(ran.flat(), NAMES)
  assert.is(await misfitOf(database.db), null)
})

testOnEmpty('C: processes that migrate at once run each migration once', async (database) => {
  const printed = await Promise.all([1, 2, 3, 4].map(() => runCli(onIt(database), 'migrate')))
  for (const name of NAMES) assert.is(printed.filter((text) => text.includes(`ran ${name}`)).length, 1)
  assert.is(printed.filter((text) => text.includes('is up to date')).length, 3)
  assert.is(await misfitOf(database.db), null)
})

testOnEmpty('C: a database of a newer version is refused, and left as it is', async (database) => {
  const { db } = database
  await migrate(db)
  await sql`insert into schema_migrations (name, timestamp) values ('9999-from-the-future', '')`.execute(db)
  const schema = await schemaOf(db)
  const error: unknown = await migrate(db).catch((thrown: unknown) => thrown)
  assert.instance(error, SetupError)
  assert.match(String(error), 'newer version of Tallylight (it has 9999-from-the-future)')
  for (const command of [['migrate'], ['grant', '--seller', 'ann', '--credits', '1', '--key', 'k']]) {
    const { stderr } = (await runCli(onIt(database), ...command).catch((thrown: unknown) => thrown)) as {
      stderr: string
    }
    assert.match(stderr, /^tallylight: The database was written by a newer version/)
  }
  assert.equal(await schemaOf(db), schema)
})

testOnEmpty('B3: transactions that read before they write never fail beside another process', async (database) => {
  await migrate(database.db)
  const handles = [database.db, database.another().db]
  await database.db.schema.createTable('counter').addColumn('n', 'integer').execute()
  await sql`insert into counter values (0)`.execute(database.db)
  const add = (db: Db): Promise<unknown> =>
    transact(db, async (tx) => {
      const { rows } = await sql<{ n: number }>`select n from counter ${heldRows(tx)}`.execute(tx)
      await sql`update counter set n = ${(rows[0]?.n ?? 0) + 1}`.execute(tx)
    })
  await Promise.all(Array.from({ length: 30 }, () => handles.map(add)).flat())
  const { rows } = await sql`select n from counter`.execute(database.db)
  assert.equal(rows, [{ n: 60 }])
})

test('C: a database in a folder that cannot be made says what to do', () => {
  assert.throws(
    () => openDatabase({ kind: 'sqlite', file: '/dev/null/x.db' }),
    (error: unknown) => error instanceof SetupError && error.message.includes('DATABASE_URL=sqlite:PATH'),
  )
})

test.run()
