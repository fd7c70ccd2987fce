import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { App } from '../../server/app.js'
import { openDatabase } from '../../server/store/database.js'
import { leftOut } from '../left-out.js'
import { faultsOfBooks } from '../support/books.js'
import { databasePlace } from '../support/fresh-database.js'
import { hasRedis, NO_REDIS, startRedis } from '../support/redis.js'
import { connect, disconnectAll, until } from '../support/sockets.js'
import { ask, grantOn, sellerOn, startNode } from './node.js'

// Several servers on one database: what one of them writes, the sockets on all of them hear, in order and once.

const seqs = (events: readonly { seq: number }[]): number[] => events.map(({ seq }) => seq)
const upTo = (newest: number): number[] => Array.from({ length: newest }, (_, i) => i + 1)

/** Runs a test with three servers that are joined by Redis, or by PostgreSQL where there is no address of one. */
async function withNodes(redisUrl: string | null, run: (nodes: [App, App, App]) => Promise<void>): Promise<void> {
  const place = await databasePlace()
  const env = redisUrl === null ? {} : { REDIS_URL: redisUrl }
  const nodes = await Promise.all([startNode(place, env), startNode(place, env), startNode(place, env)])
  const database = openDatabase(place.config)
  try {
    await run(nodes)
    assert.equal(await faultsOfBooks(database), [])
  } finally {
    disconnectAll()
    await Promise.all(nodes.map((node) => node.stop()))
    await database.close()
    await place.remove()
  }
}

/** Starts, grants, pings and ends, each on another server than the one before. */
async function acrossNodes([one, two, three]: [App, App, App]): Promise<void> {
  const seller = await sellerOn(one, 20)
  const { token, livestreamId } = seller
  const of = { livestream_id: livestreamId, after: 0 }
  const sockets = await Promise.all([one, two, three, two].map((node) => connect(node.url, token)))
  for (const socket of sockets) assert.is((await socket.ask('subscribe', of)).ok, true)

  for (let round = 0; round < 8; round += 1) {
    const turn = [one, two, three].map((_, i, all) => all[(round + i) % 3] as App)
    assert.is((await ask(turn[0] as App, 'PATCH', `/api/livestreams/start/${livestreamId}/`, { token })).status, 200)
    await Promise.all([
      grantOn(turn[1] as App, seller.id, 1),
      grantOn(turn[2] as App, seller.id, 1),
      ask(turn[1] as App, 'POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token }),
    ])
    assert.is((await ask(turn[2] as App, 'PATCH', `/api/livestreams/end/${livestreamId}/`, { token })).status, 200)
  }
  const newest = 1 + 8 * 5
  for (const socket of sockets) {
    await socket.event(newest)
    assert.equal(seqs(socket.events), upTo(newest), 'each event once, in order')
  }
}

test('V3: servers that PostgreSQL joins: a socket on any of them hears everything, in order', () =>
  withNodes(null, acrossNodes))

const ofRedis: Record<string, () => Promise<void>> = {
  'V3: servers that Redis joins: a socket on any of them hears everything, in order': async () => {
    const redis = await startRedis()
    try {
      await withNodes(redis.url, acrossNodes)
    } finally {
      await redis.kill()
    }
  },
  'V3: Redis is not there, comes, is killed and comes again: nothing is missed, and nobody stops': async () => {
    const redis = await startRedis()
    await redis.kill()
    try {
      await withNodes(redis.url, async ([one, two, three]) => {
        const seller = await sellerOn(one, 1)
        const socket = await connect(three.url, seller.token)
        await socket.ask('subscribe', { livestream_id: seller.livestreamId, after: 0 })
        let seq = 1
        const isHeard = async (withinMs: number, how: string) => {
          await grantOn(two, seller.id, 1)
          seq += 1
          await until(() => socket.events.at(-1)?.seq === seq, how, withinMs)
        }
        await isHeard(2_000, 'without Redis, by looking')
        await redis.start()
        for (let i = 0; i < 5; i += 1) await isHeard(2_000, 'while it is found')
        await redis.kill()
        for (let i = 0; i < 3; i += 1) await isHeard(2_000, 'while it is gone')
        await redis.start()
        for (let i = 0; i < 5; i += 1) await isHeard(2_000, 'when it is back')
        assert.equal(seqs(socket.events), upTo(seq))
      })
    } finally {
      await redis.kill()
    }
  },
}
for (const [title, body] of Object.entries(ofRedis)) {
  if (hasRedis) test(title, body)
  else leftOut.push(NO_REDIS)
}

test.run()
