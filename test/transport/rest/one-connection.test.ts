import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makeSeller } from '../../support/sellers.js'
import { startServer } from '../../support/server.js'

// What a connection keeps from one request to the next, and how its answers are written.

const server = await startServer()
test.after(() => server.close())

const { hostname, port } = new URL(server.url)
const [anna, bela] = [await makeSeller(server), await makeSeller(server)]

async function ask(agent: Agent, path: string, authorization?: string): Promise<{ status: number; text: string }> {
  const headers = authorization === undefined ? {} : { authorization }
  const sent = request({ hostname, port, path, agent, headers }).end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode ?? 0, text }
}

test('H3: each request on a connection speaks for the seller of its own token, and for nobody without one', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const mine = (livestreamId: string) => `/api/livestreams/${livestreamId}`
  const [asAnna, asBela] = [`Bearer ${anna.token}`, `Bearer ${bela.token}`]
  const statuses: number[] = []
  for (const [livestreamId, authorization] of [
    [anna.livestreamId, asAnna],
    [anna.livestreamId, asAnna],
    [anna.livestreamId, asBela],
    [bela.livestreamId, asBela],
    [bela.livestreamId, undefined],
    [bela.livestreamId, 'Bearer '],
    [bela.livestreamId, asBela],
    [bela.livestreamId, asAnna],
  ] as const) {
    const { status } = await ask(agent, mine(livestreamId), authorization)
    statuses.push(status)
  }
  agent.destroy()
  assert.equal(statuses, [200, 200, 403, 200, 401, 401, 200, 403])
})

test('requests that are sent in one go are answered in their order, each in one piece', async () => {
  const socket = connect(Number(port), hostname)
  const of = (path: string, end = '') =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${anna.token}\r\n${end}\r\n`
  socket.write(
    of(`/api/livestreams/${anna.livestreamId}`) + of('/api/credits') + of('/api/nowhere', 'Connection: close\r\n'),
  )
  let text = ''
  for await (const chunk of socket.setEncoding('utf8')) text += chunk
  const answers = text.split(/(?=HTTP\/1\.1 )/)
  const told = answers.map((answer) => {
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
    return {
      status: head.slice(9, 12),
      whole: Buffer.byteLength(body) === length,
      members: Object.keys(JSON.parse(body)),
    }
  })
  assert.equal(
    told.map(({ status, whole }) => [status, whole]),
    [
      ['200', true],
      ['200', true],
      ['404', true],
    ],
  )
  assert.ok(told[0]?.members.includes('id'))
  assert.ok(told[1]?.members.includes('balance'))
})

test('letters beyond ASCII arrive as they were sent', async () => {
  const title = 'Épicerie — 市場 🧀'
  const created = await server.request('POST', '/api/livestreams/', { token: anna.token, body: { title } })
  const { id } = created.body as { id: string }
  const { text } = await ask(new Agent(), `/api/livestreams/${id}`, `Bearer ${anna.token}`)
  assert.is(JSON.parse(text).title, title)
})

test.run()
