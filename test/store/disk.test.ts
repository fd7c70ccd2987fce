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

testOnDisk('A6: what is committed freely has resolved when the disk has it, and only that waits so', async (db) => {
  if (isPostgres(db)) return
  let openGate = (): void => undefined
  const gate = new Promise<void>((resolve) => {
    openGate = resolve
  })
  prototype.datasync = async function (this: FileHandle) {
    await gate
    await datasync.call(this)
  }
  let resolved = false
  const { onDisk } = await commitFreely(db, 100, async (tx) => {
    assert.is(await synchronous(tx), 1)
    await add(tx)
  })
  const committed = onDisk.then(() => {
    resolved = true
  })
  assert.is(await transact(db, synchronous), 2)
  const { rows } = await sql`select n from counter`.execute(db)
  assert.equal(rows, [{ n: 1 }])
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.is(resolved, false)
  openGate()
  await committed
  const failing = commitFreely(db, 100, () => Promise.reject(new Error('undone')))
  assert.is(await failing.catch(({ message }: Error) => message), 'undone')
  prototype.datasync = () => Promise.reject(broken())
  const unsynced = await commitFreely(db, 100, add)
  assert.is(await unsynced.onDisk.catch(({ code }: Refusal) => code), 'temporarily_unavailable')
  prototype.datasync = datasync
  const synced = await commitFreely(db, 100, add)
  await synced.onDisk
  assert.is(await synchronous(db), 2)
})

testOnDisk('A6: where few wait and the disk is quick, the event loop waits with them', async (db) => {
  if (isPostgres(db)) return
  const waits = { here: 0, beside: 0 }
  const wait = async (waiting: number): Promise<typeof waits> => {
    Object.assign(waits, { here: 0, beside: 0 })
    await (await commitFreely(db, waiting, add)).onDisk
    return waits
  }
  const after = (ms: number) => async () => {
    waits.beside += 1
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
  }
  waitHere((fd) => {
    waits.here += 1
    fdatasyncSync(fd)
  })
  // How quick it is, is not known at first.
  prototype.datasync = after(0)
  assert.equal(await wait(1), { here: 0, beside: 1 })
  for (let nth = 0; nth < 50; nth += 1) await wait(1_000)
  assert.equal(await wait(1_000), { here: 0, beside: 1 })
  assert.equal(await wait(1), { here: 1, beside: 0 })
  // Once slow, no longer.
  prototype.datasync = after(100)
  await wait(1_000)
  assert.equal(await wait(1), { here: 0, beside: 1 })
  prototype.datasync = after(0)
  for (let nth = 0; nth < 50; nth += 1) await wait(1_000)
  waitHere(() => {
    throw broken()
  })
  const { onDisk } = await commitFreely(db, 1, add)
  assert.is(await onDisk.catch(({ code }: Refusal) => code), 'temporarily_unavailable')
})

test.run()
