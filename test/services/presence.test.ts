import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createPresence, type Presence } from '../../server/services/presence.js'
import { dropStaleConnections } from '../../server/store/connections.js'
import { insertStamp } from '../../server/store/stamps.js'
import { freshDatabase, SILENT_LOG } from '../support/fresh-database.js'
import { handClock } from '../support/hand-clock.js'

// Two servers on one database: each counts its own sockets, and believes what the other wrote while that one stamps.

const database = await freshDatabase()
const { db } = database
const clock = handClock()
const here = createPresence(db, clock, 'here', SILENT_LOG)
const there = createPresence(database.another().db, clock, 'there', SILENT_LOG)
const stamp = (server: string) => insertStamp(db, clock.now(), server)
const connected = async (presence: Presence, ...sellers: string[]): Promise<string[]> => [
  ...(await presence.connectedAmong(sellers)),
]
test.after(database.close)

test('N: a seller is connected here from the first socket to the last', async () => {
  here.joined('ann')
  here.joined('ann')
  assert.equal(await connected(here, 'ann', 'bob'), ['ann'])
  here.left('ann')
  assert.equal(await connected(here, 'ann'), ['ann'])
  assert.is(here.socketCount(), 1)
  here.left('ann')
  assert.equal(await connected(here, 'ann'), [])
  assert.is(here.socketCount(), 0)
})

test('N: a seller on another server is connected once that has written it, while its stamps are fresh', async () => {
  there.joined('bob')
  assert.equal(await connected(here, 'bob'), [])
  await stamp('here')
  await stamp('there')
  await there.save()
  assert.equal(await connected(here, 'ann', 'bob'), ['bob'])
  clock.advance(3_000)
  assert.equal(await connected(here, 'bob'), ['bob'])
  clock.advance(1)
  assert.equal(await connected(here, 'bob'), [])
  await stamp('here')
  assert.equal(await connected(here, 'bob'), [])
  await stamp('there')
  assert.equal(await connected(here, 'bob'), ['bob'])
  there.left('bob')
  await there.save()
  assert.equal(await connected(here, 'bob'), [])
})

test('N: nothing is written where nobody else reads it; once somebody does, all that is held', async () => {
  const rows = async () => {
    const stored = await db.selectFrom('connections').selectAll().where('server_id', '=', 'alone').execute()
    return stored.map(({ seller_id, sockets }) => `${seller_id} ${sockets}`).sort()
  }
  clock.advance(61_000)
  const alone = createPresence(db, clock, 'alone', SILENT_LOG)
  await stamp('alone')
  for (const seller of ['cid', 'dan', 'dan', 'eve']) alone.joined(seller)
  alone.left('eve')
  await alone.save()
  assert.equal(await rows(), [])
  await stamp('there')
  await alone.save()
  assert.equal(await rows(), ['cid 1', 'dan 2'])
  // It stalls, and comes back: nothing is forgotten meanwhile.
  clock.advance(59_999)
  await stamp('alone')
  alone.left('dan')
  await alone.save()
  assert.equal(await rows(), ['cid 1', 'dan 1'])
  clock.advance(2)
  await stamp('alone')
  await alone.save()
  assert.equal(await rows(), [])
  alone.left('cid')
  await alone.save()
  await stamp('there')
  await alone.save()
  assert.equal(await rows(), ['dan 1'])
})

test('N: of thousands who are held, all are written', async () => {
  const crowd = createPresence(db, clock, 'crowd', SILENT_LOG)
  for (let count = 0; count < 2_500; count += 1) crowd.joined(`guest-${count}`)
  await crowd.save()
  const guests = Array.from({ length: 2_500 }, (_, count) => `guest-${count}`)
  await stamp('crowd')
  assert.is((await connected(here, ...guests)).length, 2_500)
  for (const guest of guests) crowd.left(guest)
  await crowd.save()
  assert.equal(await connected(here, ...guests), [])
})

test('N: of many who come and go, only what has changed is written', async () => {
  await stamp('here')
  for (let count = 0; count < 50; count += 1) there.joined(`seller-${count}`)
  await there.save()
  for (let count = 0; count < 50; count += 2) there.left(`seller-${count}`)
  there.joined('seller-1')
  await there.save()
  const stored = db.selectFrom('connections').selectAll().where('server_id', '=', 'there').orderBy('seller_id')
  const rows = await stored.execute()
  assert.is(rows.length, 25)
  assert.equal(
    rows.filter(({ sockets }) => sockets === 2).map(({ seller_id }) => seller_id),
    ['seller-1'],
  )
  await there.save()
  assert.equal(await stored.execute(), rows)
})

test('N: what a server that died left behind is forgotten', async () => {
  clock.advance(61_000)
  await stamp('here')
  await stamp('a third')
  here.joined('ann')
  await here.save()
  await dropStaleConnections(db, clock.now() - 60_000)
  const rows = await db.selectFrom('connections').select(['server_id', 'seller_id']).execute()
  assert.equal(rows, [{ server_id: 'here', seller_id: 'ann' }])
})

test('N: what could not be written is written the next time', async () => {
  const other = database.another()
  const failing = createPresence(other.db, clock, 'failing', SILENT_LOG)
  await db.schema.alterTable('connections').renameTo('connections_hidden').execute()
  failing.joined('dan')
  await failing.save()
  await db.schema.alterTable('connections_hidden').renameTo('connections').execute()
  failing.joined('eve')
  await failing.save()
  const rows = await db.selectFrom('connections').select('seller_id').where('server_id', '=', 'failing').execute()
  assert.equal(rows.map(({ seller_id }) => seller_id).sort(), ['dan', 'eve'])
})

test.run()
