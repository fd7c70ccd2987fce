import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createHttpServer } from '../../server/transport/http-server.js'
import { leaveUnread } from '../../server/transport/unread-body.js'
import { makeSeller } from '../support/sellers.js'
import { startServer } from '../support/server.js'

/** More than a stream, or the system, keeps of what nobody reads. */
const LARGE = Buffer.alloc(8 * 1024 * 1024, 'x')

/** The statuses of all answers on one connection, which the last request ends. */
async function statusesOf(url: string, requests: readonly (string | Buffer)[]): Promise<string[]> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  for (const request of requests) socket.write(request)
  let text = ''
  for await (const chunk of socket.setEncoding('latin1')) text += chunk
  return [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status = '']) => status)
}

async function withServer(answer: RequestListener, ask: (url: string) => Promise<void>): Promise<void> {
  const server = createHttpServer(answer)
  const url = await server.listen('127.0.0.1', 0)
  try {
    await ask(url)
  } finally {
    server.http.close()
  }
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const head = (method: string, path: string, more = '') => `${method} ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
const LAST = 'Connection: close\r\n'

test('a body that is left unread is dropped as it comes, and the next request is answered', async () => {
  const heard: string[] = []
  const answer: RequestListener = (req, res) => {
    if (req.url !== '/read') leaveUnread(req)
    for (const event of ['data', 'end'] as const) req.on(event, () => heard.push(`${req.url} ${event}`))
    // Answered well after its head has come.
    void sleep(50).then(() => res.end('{}'))
  }
  await withServer(answer, async (url) => {
    const statuses = await statusesOf(url, [
      head('POST', '/none'),
      head('POST', '/empty', 'Content-Length: 0\r\n'),
      head('POST', '/large', `Content-Length: ${LARGE.length}\r\n`),
      LARGE,
      head('POST', '/chunks', 'Transfer-Encoding: chunked\r\n'),
      `${LARGE.length.toString(16)}\r\n`,
      LARGE,
      '\r\n0\r\n\r\n',
      head('POST', '/read', `Content-Length: 2\r\n${LAST}`),
      '{}',
    ])
    assert.equal(statuses, ['200', '200', '200', '200', '200'])
  })
  assert.equal(heard, ['/read data', '/read end'])
})

test('a request is forgotten once it is answered, and its memory with it', async () => {
  const kept: WeakRef<object>[] = []
  const answer: RequestListener = (req, res) => {
    leaveUnread(req)
    kept.push(new WeakRef(req))
    res.end('{}')
  }
  await withServer(answer, async (url) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.write(head('GET', '/'))
    await once(socket, 'data')
    // The connection stays, with nothing more to come.
    for (let tries = 0; kept[0]?.deref() !== undefined && tries < 20; tries += 1) {
      await sleep(10)
      collectGarbage()
    }
    assert.is(kept.length, 1)
    assert.is(kept[0]?.deref(), undefined)
    socket.destroy()
  })
})

test('a request that breaks off is told as such, unread or not', async () => {
  const told: string[] = []
  for (const unread of [true, false]) {
    let arrived: Promise<unknown> | undefined
    const answer: RequestListener = (req) => {
      if (unread) leaveUnread(req)
      arrived = once(req, 'error').then(([{ code }]) => told.push(`${unread ? 'unread' : 'read'}: ${code}`))
    }
    await withServer(answer, async (url) => {
      const { hostname, port } = new URL(url)
      const socket = connect(Number(port), hostname)
      socket.write(`${head('POST', '/', 'Content-Length: 10\r\n')}half`)
      while (arrived === undefined) await sleep(5)
      socket.destroy()
      await arrived
    })
  }
  assert.equal(told, ['unread: ECONNRESET', 'read: ECONNRESET'])
})

test('routes that read no body take one of any length that they allow, also from somebody unknown', async () => {
  const server = await startServer()
  try {
    const { token, livestreamId } = await makeSeller(server)
    const by = (who: string, length: number) => `Authorization: Bearer ${who}\r\nContent-Length: ${length}\r\n`
    const path = `/api/livestreams/${livestreamId}`
    const small = Buffer.alloc(16 * 1024, '{')
    const statuses = await statusesOf(server.url, [
      head('GET', path, by(token, LARGE.length)),
      LARGE,
      head('GET', path, by('nobody', LARGE.length)),
      LARGE,
      head('PATCH', `/api/livestreams/start/${livestreamId}/`, by(token, small.length)),
      small,
      head('POST', `${path}/heartbeat/`, by(token, small.length)),
      small,
      head('POST', `${path}/heartbeat/`, by(token, 0)),
      // Told from its head, and the connection ends.
      head('POST', `${path}/heartbeat/`, by(token, LARGE.length)),
    ])
    assert.equal(statuses, ['200', '401', '200', '200', '200', '413'])
  } finally {
    await server.close()
  }
})

test.run()
