import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { KEEP_ALIVE_MS } from '../../../server/transport/http-server.js'
import { fieldsOf, putHead } from '../../../server/transport/rest/head-text.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

// What Node's own `writeHead` makes of the same headers is what is asked of a head that is put together here.

const LIST = ['Content-Type', 'application/json; charset=utf-8', 'Content-Length', '2', 'vary', 'Origin', 'X-Empty', '']

/** All that comes back for a request on a connection of its own, in which nothing is said of the time. */
async function answerTo(request: string, port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(request)
  let text = ''
  for await (const chunk of socket.setEncoding('latin1')) {
    text += chunk
    if (text.endsWith('}') || (request.startsWith('HEAD') && text.endsWith('\r\n\r\n'))) break
  }
  return text.replace(/(?<=\r\nDate: )\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT(?=\r\n)/, 'now')
}

async function answersOf(answer: RequestListener, requests: readonly string[]): Promise<string[]> {
  const http = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => http.once('listening', resolve))
  const { port } = http.address() as AddressInfo
  try {
    return await Promise.all(requests.map((request) => answerTo(request, port)))
  } finally {
    http.close()
  }
}

const line = (method: string, version: string, more = '') => `${method} / HTTP/${version}\r\nHost: x\r\n${more}\r\n`
const REQUESTS = {
  'a connection that goes on': line('GET', '1.1'),
  'one that says so': line('GET', '1.1', 'Connection: keep-alive\r\n'),
  'one that ends': line('GET', '1.1', 'Connection: close\r\n'),
  'the old version': line('GET', '1.0'),
  'the old version, which goes on': line('GET', '1.0', 'Connection: keep-alive\r\n'),
  'without the answer': line('HEAD', '1.1'),
  'with a body': line('POST', '1.1', 'Content-Length: 0\r\n'),
}

test('an answer has the head that Node would give it', async () => {
  let given = 0
  const ours: RequestListener = (_req, res) => {
    if (putHead(res, fieldsOf(LIST))) given += 1
    else res.writeHead(200, LIST)
    res.end('{}')
  }
  const nodes: RequestListener = (_req, res) => res.writeHead(200, LIST).end('{}')
  const requests = Object.values(REQUESTS)
  const [mine, theirs] = [await answersOf(ours, requests), await answersOf(nodes, requests)]
  for (const [i, what] of Object.keys(REQUESTS).entries()) assert.is(mine[i], theirs[i], what)
  assert.match(theirs[0] ?? '', /\r\nDate: now\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n\{\}$/)
  // Those that go on, and no others.
  assert.is(given, 5)
})

test('headers that somebody else has set are left to Node', async () => {
  const [answer = ''] = await answersOf(
    (_req, res) => {
      res.setHeader('X-Other', 'set before')
      assert.not(putHead(res, fieldsOf(LIST)))
      res.writeHead(200, LIST).end('{}')
      assert.not(putHead(res, fieldsOf(LIST)), 'it has a head already')
    },
    [line('GET', '1.1')],
  )
  assert.match(answer, /\r\nX-Other: set before\r\n/)
})

test('the answers of the server carry what they always carried, and say when they are made', async () => {
  const server = await startServer({ CORS_ORIGINS: 'https://pages.example' })
  try {
    const seller = await makeSeller(server)
    const { port } = new URL(server.url)
    const ask = (more: string) =>
      answerTo(
        `GET /api/credits/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${seller.token}\r\n${more}\r\n`,
        Number(port),
      )
    const told = await ask('Origin: https://pages.example\r\n')
    // The same by Node, since the connection ends.
    const byNode = await ask('Origin: https://pages.example\r\nConnection: close\r\n')
    const asOther = (text: string) =>
      text
        .replace('Connection: keep-alive\r\nKeep-Alive: timeout=5', 'Connection: close')
        .replace(/remaining=\d+, reset=\d+/, '')
    assert.is(asOther(told), asOther(byNode))
    for (const name of ['access-control-allow-origin', 'content-security-policy', 'RateLimit', 'Date: now']) {
      assert.match(told, new RegExp(`\r\n${name}`))
    }
    const { headers } = await server.request('GET', '/api/credits/', seller)
    assert.ok(Math.abs(Date.parse(headers.get('date') ?? '') - Date.now()) < 5_000, `Date: ${headers.get('date')}`)
  } finally {
    await server.close()
  }
})

test.run()
