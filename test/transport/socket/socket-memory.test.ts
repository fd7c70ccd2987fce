import { IncomingMessage } from 'node:http'
import { queryObjects } from 'node:v8'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Turns } from '../../../server/transport/socket/turns.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'
import { connect, disconnectAll } from '../../support/sockets.js'

// An idle connection keeps nothing of the request that it began with, such as a browser's headers.

const server = await startServer()
test.after(async () => {
  disconnectAll()
  await server.close()
})

const SOCKETS = 20

/** How many requests and answers are held by anything, after a collection of what is not. */
const held = (): number => queryObjects(IncomingMessage, { format: 'count' })

for (const transports of [['websocket'], ['polling', 'websocket']]) {
  test(`requests are let go of: ${transports.join(', then ')}`, async () => {
    const { token } = await makeSeller(server, 1)
    const before = held()
    const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => connect(server.url, token, { transports })))
    for (const { socket } of sockets) {
      while (socket.io.engine.transport.name !== 'websocket') await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.ok(sockets.every(({ socket }) => socket.connected))
    let more = SOCKETS
    // Timers and what is on its way hold a few for a moment.
    for (let look = 0; look < 15 && more > SOCKETS / 4; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      more = held() - before
    }
    assert.ok(more <= SOCKETS / 4, `${more} requests are held for ${SOCKETS} connections`)
  })
}

test('an answer is let go of once it is given', async () => {
  class Answer {}
  const turns = new Turns()
  await turns.change(async () => new Answer())
  await new Promise((resolve) => setTimeout(resolve, 10))
  assert.is(queryObjects(Answer, { format: 'count' }), 0)
  assert.ok(turns)
})

test.run()
