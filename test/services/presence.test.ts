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

test('N: of many who come and go, only what has changed is written', async () => {
  for (let count = 0; count < 50; count += 1) there.joined(`seller-${count}`)
  await there.save()
  for (let count = 0; count < 50; count += 2) there.left(`seller-${count}`)
  there.joined('seller-1')
  await there.save()
  const rows = await db.selectFrom('connections').selectAll().orderBy('seller_id').execute()
  assert.is(rows.length, 25)
  assert.equal(
    rows.filter(({ sockets }) => sockets === 2).map(({ seller_id }) => seller_id),
    ['seller-1'],
  )
  await there.save()
  assert.equal(await db.selectFrom('connections').selectAll().orderBy('seller_id').execute(), rows)
})

test('N: what a server that died left behind is forgotten', async () => {
  clock.advance(61_000)
  await stamp('here')
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
