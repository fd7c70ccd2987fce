import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket, WebSocketServer } from 'ws'
import { frameOf } from '../../../server/transport/socket/ready-frames.js'
import { grant, makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'
import { connect, disconnectAll } from '../../support/sockets.js'

test('RFC 6455: ready frames of every length and alphabet are read as they were written', async () => {
  const http = createServer().listen(0, '127.0.0.1')
  await once(http, 'listening')
  const server = new WebSocketServer({ server: http })
  const texts = [
    '',
    'a',
    'ä€😀',
    'x'.repeat(124),
    'x'.repeat(125),
    'é'.repeat(63),
    'x'.repeat(65_534),
    'x'.repeat(65_535),
  ]
  server.on('connection', (_socket, { socket }) => {
    for (const text of texts) socket.write(frameOf(text))
  })
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`)
  const heard: string[] = []
  client.on('message', (data, isBinary) => heard.push(`${isBinary}${data}`))
  while (heard.length < texts.length) await once(client, 'message')
  assert.equal(
    heard,
    texts.map((text) => `false4${text}`),
  )
  client.terminate()
  server.close()
  http.close()
})

/** What ws is given to write while `work` runs, each message in its pieces. */
async function givenToWs(work: () => Promise<void>): Promise<string[][]> {
  const { Sender } = createRequire(createRequire(import.meta.url).resolve('engine.io'))('ws') as {
    Sender: { prototype: { sendFrame: (list: Buffer[], done?: () => void) => void } }
  }
  const { sendFrame } = Sender.prototype
  const pieces: string[][] = []
  Sender.prototype.sendFrame = function (list, done) {
    pieces.push(list.map((piece) => `${piece}`))
    sendFrame.call(this, list, done)
  }
  try {
    await work()
  } finally {
    Sender.prototype.sendFrame = sendFrame
  }
  return pieces
}

test('Engine.IO takes a ready frame, and ws writes it in one piece', async () => {
  const pieces = await givenToWs(async () => {
    const server = await startServer()
    await connect(server.url, (await makeSeller(server)).token, { transports: ['websocket'] })
    await server.app.stop()
    disconnectAll()
  })
  const told = pieces.filter((list) => list.some((piece) => piece.includes('server_draining')))
  assert.equal(
    told.map((list) => list.length),
    [1],
  )
})

test('answers and events go past ws, whose queue is empty', async () => {
  const pieces = await givenToWs(async () => {
    const server = await startServer()
    const { id, token, livestreamId } = await makeSeller(server)
    const socket = await connect(server.url, token, { transports: ['websocket'] })
    const { seq } = await socket.ask('subscribe', { livestream_id: livestreamId })
    await grant(server, id, 1)
    await socket.event(seq + 1)
    assert.is((await socket.ask('ping', { livestream_id: livestreamId })).code, 'livestream_not_live')
    assert.is((await socket.ask('nonsense')).code, 'unknown_event')
    disconnectAll()
    await server.app.stop()
  })
  const fromServer = pieces
    .map((list) => list.join(''))
    .filter((text) => /credit_update|livestream_not_live|unknown_event|server_time/.test(text))
  assert.equal(fromServer, [])
})

test.run()
