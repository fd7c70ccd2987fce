import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server, type Socket } from 'socket.io'
import { io as connectTo, type ManagerOptions } from 'socket.io-client'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { sparePlainHandshakes } from '../../../server/transport/socket/plain-handshakes.js'

const http = createServer()
const io = new Server(http)
sparePlainHandshakes(http, io.path())
test.before(() => new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve)))
test.after(() => io.close())

type Handshake = Pick<Socket['handshake'], 'query' | 'address'>

/** What Socket.IO knows of the handshake of a client with these options. */
async function handshakeOf(options: Partial<ManagerOptions>): Promise<Handshake> {
  const { port } = http.address() as AddressInfo
  const connected = new Promise<Socket>((resolve) => io.once('connection', resolve))
  const client = connectTo(`http://127.0.0.1:${port}`, { ...options, forceNew: true })
  try {
    return (await connected).handshake
  } finally {
    client.close()
  }
}

test('of a plain WebSocket, nothing is made of the query, and nobody asks for the address', async () => {
  const [{ query, address }, another] = [
    await handshakeOf({ transports: ['websocket'] }),
    await handshakeOf({ transports: ['websocket'] }),
  ]
  assert.equal(query, { EIO: '4', transport: 'websocket' })
  assert.is(another.query, query)
  assert.is(address, undefined)
})

for (const { what, options, query } of [
  {
    what: 'a WebSocket with a query of its own',
    options: { transports: ['websocket'], query: { page: 'a' } },
    query: { page: 'a', EIO: '4', transport: 'websocket' },
  },
  {
    what: 'long-polling',
    options: { transports: ['polling'], timestampRequests: false },
    query: { EIO: '4', transport: 'polling' },
  },
]) {
  test(`${what} is read as ever`, async () => {
    const read = await handshakeOf(options)
    assert.equal({ ...read.query }, query)
    assert.is(read.address, '127.0.0.1')
  })
}

test.run()
