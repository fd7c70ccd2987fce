import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { heartbeatMembers } from '../../server/transport/heartbeat-text.js'
import { grant, makeSeller } from '../support/sellers.js'
import { startServer } from '../support/server.js'
import { connect, disconnectAll } from '../support/sockets.js'

const server = await startServer()
test.after(async () => {
  disconnectAll()
  await server.close()
})

test('H: what is written out of an answer to a heartbeat is its JSON', () => {
  for (const number of [0, 1, 25, Number.MAX_SAFE_INTEGER]) {
    const answer = {
      message: 'Heartbeat recorded successfully',
      last_activity: '2026-01-02T03:04:05.678Z',
      remaining_credits: number,
      credits_consumed: number,
    }
    assert.is(`{${heartbeatMembers(answer)}}`, JSON.stringify(answer))
  }
})

test('P3: a ping is answered as the REST heartbeat is, member by member', async () => {
  const { id, token, livestreamId } = await makeSeller(server)
  await grant(server, id, 3)
  await server.request('PATCH', `/api/livestreams/start/${livestreamId}/`, { token })
  const { body } = await server.request('POST', `/api/livestreams/${livestreamId}/heartbeat/`, { token })
  const connected = await connect(server.url, token)
  const { ok, ...answer } = await connected.ask('ping', { livestream_id: livestreamId })
  assert.is(ok, true)
  assert.equal(Object.keys(answer), Object.keys(Object(body)))
  assert.equal({ ...answer, last_activity: null }, { ...Object(body), last_activity: null })
})

test.run()
