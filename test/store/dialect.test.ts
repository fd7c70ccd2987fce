import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Cell, insertRows, isPostgres, reading } from '../../server/store/dialect.js'
import { freshDatabase } from '../support/fresh-database.js'

test('rows are inserted in their order, each once, whatever their number', async () => {
  const { db, close } = await freshDatabase({ migrated: false })
  try {
    await db.schema
      .createTable('items')
      .addColumn('place', isPostgres(db) ? 'serial' : 'integer', (column) => column.primaryKey())
      .addColumn('name', 'text')
      .addColumn('n', 'bigint', (column) => column.check(sql`n < 1000`))
      .execute()
    const insert = (rows: Cell[][]) =>
      db.transaction().execute((tx) => insertRows(tx, 'items', { name: 'text', n: 'bigint' }, rows))
    const all: Cell[][] = []
    for (const count of [0, 1, 7, 8, 9, 63, 64, 65, 71, 72, 73, 137]) {
      const rows = Array.from({ length: count }, (_, i): Cell[] => [`${count}, 'row ${i}'`, i % 3 ? i : null])
      await insert(rows)
      all.push(...rows)
    }
    const read = async () =>
      (await sql<{ name: string; n: number | null }>`select name, n from items order by place`.execute(db)).rows
    const asRead = all.map(([name, n]) => ({ name, n }))
    assert.equal(await read(), asRead)
    // Of rows that come together, one that is refused keeps all of them out.
    for (const bad of [0, 70, 99]) {
      const rows = Array.from({ length: 100 }, (_, i): Cell[] => ['refused', i === bad ? 1_000 : i])
      const refused = await insert(rows).then(
        () => false,
        () => true,
      )
      assert.ok(refused)
    }
    assert.equal(await read(), asRead)
  } finally {
    await close()
  }
})

test('a statement that was read with before names the columns that there are now', async () => {
  const { db, close } = await freshDatabase({ migrated: false })
  try {
    await sql`create table items (a text, b text, c bigint)`.execute(db)
    await sql`insert into items values ('one', 'two', 3), ('four', 'five', 6)`.execute(db)
    const read = async () => (await sql`select * from items order by c`.execute(db)).rows
    assert.equal(await read(), [
      { a: 'one', b: 'two', c: 3 },
      { a: 'four', b: 'five', c: 6 },
    ])
    await sql`alter table items drop column b`.execute(db)
    await sql`alter table items add column d text default 'new'`.execute(db)
    await sql`alter table items add column e text`.execute(db)
    assert.equal(await read(), [
      { a: 'one', c: 3, d: 'new', e: null },
      { a: 'four', c: 6, d: 'new', e: null },
    ])
  } finally {
    await close()
  }
})

test('a reading sees what is committed, and within a transaction what that did', async () => {
  const { db, close } = await freshDatabase({ migrated: false })
  try {
    await sql`create table items (name text primary key, n bigint)`.execute(db)
    const read = reading(
      sql<{ name: string; n: number }>`select name, n from items where name = ${null} or n = ${null}`,
    )
    assert.equal(await read(db, ['one', 2]), [])
    let outside: Promise<readonly unknown[]> = Promise.resolve([])
    const undone = db.transaction().execute(async (tx) => {
      await sql`insert into items values ('one', 1)`.execute(tx)
      assert.equal(await read(tx, ['one', 2]), [{ name: 'one', n: 1 }])
      outside = read(db, ['one', 2])
      throw new Error('undone')
    })
    assert.is(await undone.catch((error: Error) => error.message), 'undone')
    assert.equal(await outside, [])
    await sql`insert into items values ('one', 1), ('two', 2), ('three', 3)`.execute(db)
    const names = async () => (await read(db, ['one', 2])).map(({ name }) => name).sort()
    assert.equal(await names(), ['one', 'two'])
    await sql`delete from items where n = 2`.execute(db)
    assert.equal(await names(), ['one'])
  } finally {
    await close()
  }
})

test.run()
