import { connect as open, Socket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startServer } from '../../support/server.js'

const server = await startServer()
test.after(() => server.close())

/** What a net.Socket hands to the system in one piece. */
type InOne = (chunks: readonly { readonly chunk: unknown }[], done: () => void) => void

/** A handshake by hand: the first that is heard, until it holds `until` or the connection is closed. */
async function handshake(query: string, until: string, key = 'dGhlIHNhbXBsZSBub25jZQ=='): Promise<string> {
  const { hostname, port } = new URL(server.url)
  const socket = open(Number(port), hostname)
  const head = [`GET /socket.io/?${query} HTTP/1.1`, `Host: ${hostname}`, 'Connection: Upgrade', 'Upgrade: websocket']
  socket.write([...head, 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`, '', ''].join('\r\n'))
  let heard = ''
  for await (const chunk of socket) {
    heard += chunk
    if (heard.includes(until)) break
  }
  return heard
}

test("the answer to a WebSocket's handshake goes out with Engine.IO's first packet", async () => {
  const prototype = Socket.prototype as unknown as { _writev: InOne }
  const { _writev } = prototype
  const written: string[] = []
  prototype._writev = function (this: Socket, chunks, done) {
    written.push(chunks.map(({ chunk }) => String(chunk)).join(''))
    _writev.call(this, chunks, done)
  }
  try {
    await handshake('EIO=4&transport=websocket', '0{"sid"')
  } finally {
    prototype._writev = _writev
  }
  assert.is(written.filter((text) => text.startsWith('HTTP/1.1 101') && text.includes('0{"sid"')).length, 1)
})

for (const { what, query, key, answer } of [
  { what: 'of a protocol before 4', query: 'EIO=3&transport=websocket', answer: 'HTTP/1.1 101' },
  { what: 'that goes on with an unknown session', query: 'EIO=4&transport=websocket&sid=none', answer: 'HTTP/1.1 400' },
  { what: 'with a key that is none', query: 'EIO=4&transport=websocket', key: 'none', answer: 'HTTP/1.1 400' },
]) {
  test(`a handshake ${what} is answered`, async () => {
    assert.match(await handshake(query, '\r\n\r\n', key), new RegExp(`^${answer}`))
  })
}

test.run()
