import fs from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { sql } from 'kysely'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Refusal } from '../../server/domain/errors.js'
import type { Db } from '../../server/store/database.js'
import { isPostgres } from '../../server/store/dialect.js'
import { commitFreely, transact } from '../../server/store/transact.js'
import { freshDatabase } from '../support/fresh-database.js'

// The disk is real; the ways to it are watched, shut, or as quick as a test says.
const handle = await open(process.execPath)
const prototype = Object.getPrototypeOf(handle) as FileHandle
await handle.close()
const { datasync } = prototype
const { fdatasyncSync } = fs

function putBack(): void {
  prototype.datasync = datasync
  waitHere(fdatasyncSync)
}

/** How the event loop itself waits for the disk. */
function waitHere(how: typeof fdatasyncSync): void {
  fs.fdatasyncSync = how
  syncBuiltinESMExports()
}

/** Has a sync take so long where the event loop waits for it. */
function takeHere(ms: number, hear: () => void = () => undefined): void {
  waitHere(() => {
    hear()
    if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  })
}

const broken = () => Object.assign(new Error('EIO'), { code: 'EIO' })

/** On a fresh database with a table `counter`. */
function testOnDisk(title: string, run: (db: Db) => Promise<void>): void {
  test(title, async () => {
    const { db, close } = await freshDatabase({ migrated: false })
    try {
      await db.schema.createTable('counter').addColumn('n', 'integer').execute()
      await run(db)
    } finally {
      putBack()
      await close()
    }
  })
}

const add = (tx: Db): Promise<unknown> => sql`insert into counter values (1)`.execute(tx)

async function synchronous(of: Db): Promise<unknown> {
  const { rows } = await sql<{ synchronous: number }>`pragma synchronous`.execute(of)
  return rows[0]?.synchronous
}

testOnDisk('A6: what is committed is on disk: write-ahead log with synchronous=FULL, and keys are held', async (db) => {
  if (isPostgres(db)) {
    const { rows } = await sql`show synchronous_commit`.execute(db)
    assert.equal(rows, [{ synchronous_commit: 'on' }])
    return
  }
  const pragma = async (name: string): Promise<unknown> => {
    const { rows } = await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(db)
    return Object.values(rows[0] ?? {})[0]
  }
  assert.is(await pragma('journal_mode'), 'wal')
  assert.is(await synchronous(db), 2)
  assert.is(await pragma('foreign_keys'), 1)
})

testOnDisk('A6: what is committed freely has resolved when a slow disk has it, and only that waits so', async (db) => {
  if (isPostgres(db)) return
  takeHere(20)
  await (await commitFreely(db, add)).onDisk
  let openGate = (): void => undefined
  const gate = new Promise<void>((resolve) => {
    openGate = resolve
  })
  prototype.datasync = async function (this: FileHandle) {
    await gate
    await datasync.call(this)
  }
  let resolved = false
  const { onDisk } = await commitFreely(db, async (tx) => {
    assert.is(await synchronous(tx), 1)
    await add(tx)
  })
  const committed = onDisk.then(() => {
    resolved = true
  })
  assert.is(await transact(db, synchronous), 2)
  const { rows } = await sql`select n from counter`.execute(db)
  assert.equal(rows, [{ n: 1 }, { n: 1 }])
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.is(resolved, false)
  openGate()
  await committed
  const failing = commitFreely(db, () => Promise.reject(new Error('undone')))
  assert.is(await failing.catch(({ message }: Error) => message), 'undone')
  prototype.datasync = () => Promise.reject(broken())
  const unsynced = await commitFreely(db, add)
  assert.is(await unsynced.onDisk.catch(({ code }: Refusal) => code), 'temporarily_unavailable')
  prototype.datasync = datasync
  const synced = await commitFreely(db, add)
  await synced.onDisk
  assert.is(await synchronous(db), 2)
})

testOnDisk('A6: where the disk is quick, the event loop waits for it', async (db) => {
  if (isPostgres(db)) return
  const waits = { here: 0, beside: 0 }
  async function waitTimes(times: number): Promise<typeof waits> {
    Object.assign(waits, { here: 0, beside: 0 })
    for (let nth = 0; nth < times; nth += 1) await (await commitFreely(db, add)).onDisk
    return { ...waits }
  }
  prototype.datasync = async () => {
    waits.beside += 1
  }
  const take = (ms: number) =>
    takeHere(ms, () => {
      waits.here += 1
    })
  take(0)
  assert.equal(await waitTimes(10), { here: 10, beside: 0 })
  // Once it is slow, no longer, but for a look once in a while.
  take(20)
  await waitTimes(10)
  assert.equal(await waitTimes(64), { here: 2, beside: 62 })
  // Once it is quick again, after some looks.
  take(0)
  await waitTimes(64 * 40)
  assert.equal(await waitTimes(10), { here: 10, beside: 0 })
  waitHere(() => {
    throw broken()
  })
  const { onDisk } = await commitFreely(db, add)
  assert.is(await onDisk.catch(({ code }: Refusal) => code), 'temporarily_unavailable')
})

test.run()
