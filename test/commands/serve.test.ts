import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import jwt from 'jsonwebtoken'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { commandFolder, type Served, serve } from '../support/command.js'
import { TEST_SECRET } from '../support/server.js'

const folder = commandFolder()
test.after(() => folder.remove())

/** A heartbeat whose body never ends. */
async function hangingRequest({ url }: Served): Promise<void> {
  const { hostname, port } = new URL(url)
  const hanging = request({
    hostname,
    port,
    method: 'POST',
    path: '/api/livestreams/x/heartbeat/',
    headers: {
      authorization: `Bearer ${jwt.sign({ sub: 'a' }, TEST_SECRET, { expiresIn: '1h' })}`,
      'transfer-encoding': 'chunked',
      // So that it says when it has the request.
      expect: '100-continue',
    },
  })
  hanging.on('error', () => {})
  hanging.flushHeaders()
  await once(hanging, 'continue')
  hanging.write('{')
}

test('C: PORT=0 picks a free port, and the start says where it listens', async () => {
  const [one, other] = await Promise.all([serve(folder), serve(folder)])
  assert.not.equal(one.url, other.url)
  for (const { url } of [one, other]) {
    assert.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
    assert.is((await fetch(`${url}/readyz`)).status, 200)
  }
  for (const { code, err } of await Promise.all([one.stop(), other.stop()])) assert.equal([code, err], [0, ''])
})

test('C: an IPv6 HOST is shown as an address that can be called', async () => {
  const { url, stop } = await serve(folder, { HOST: '::1' })
  assert.match(url, /^http:\/\/\[::1\]:\d+$/)
  assert.is((await fetch(`${url}/healthz`)).status, 200)
  await stop()
})

test('C: the log is JSON, a line each, and never shows the secret', async () => {
  const server = await serve(folder)
  const { out } = await server.stop()
  const messages = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).msg)
  assert.equal(messages, [
    `listening on ${server.url}`,
    'stopping: finishing what is under way (a second signal forces)',
    'stopped',
  ])
  assert.not.match(out, TEST_SECRET)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`C: ${signal} stops it with exit 0, also twice at once as from npm`, async () => {
    const server = await serve(folder)
    // Kept open by the client, as browsers do.
    await (await fetch(`${server.url}/healthz`)).text()
    server.process.kill(signal)
    server.process.kill(signal)
    const { code, err } = await server.finished
    assert.equal([code, err], [0, ''])
  })
}

test('C: a connection on which nobody has asked anything holds up no stop', async () => {
  const server = await serve(folder)
  const { hostname, port } = new URL(server.url)
  const silent = connect(Number(port), hostname)
  await once(silent, 'connect')
  silent.on('error', () => {})
  const stopped = server.stop()
  const first = await Promise.race([stopped.then(({ code }) => code), sleep(20_000, 'still running', { ref: false })])
  server.process.kill('SIGKILL')
  silent.destroy()
  assert.is(first, 0)
})

test('C: a second signal forces, where a request hangs', async () => {
  const server = await serve(folder)
  await hangingRequest(server)
  server.process.kill('SIGTERM')
  const first = await Promise.race([server.finished, sleep(700, 'still finishing what is under way', { ref: false })])
  assert.is(first, 'still finishing what is under way')
  server.process.kill('SIGTERM')
  const { code, out } = await server.finished
  assert.is(code, 1)
  assert.match(out, 'stopping at once')
})

test.run()
