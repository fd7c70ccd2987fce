import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createSSRApp, effectScope, h, watch } from 'vue'
import { renderToString } from 'vue/server-renderer'
// By another name: Biome takes React's rules of hooks to hold for whatever is called use….
import { useCreditMeter as composeCreditMeter } from '../../client-sdk/src/vue.js'
import { makeSeller } from '../support/sellers.js'
import { startServer, type TestServer } from '../support/server.js'
import { until } from './watched-meter.js'

let server: TestServer
test.before(async () => {
  server = await startServer()
})
test.after(() => server.close())

test('Vue: connects with its scope, follows the meter, and is gone with the scope', async () => {
  const { livestreamId, token } = await makeSeller(server, 3)
  const scope = effectScope()
  const used = scope.run(() => composeCreditMeter({ url: server.url, livestreamId, getToken: () => token }))
  assert.ok(used)
  const { meter, snapshot, start, end, ping } = used
  const balances: (number | null)[] = []
  const stop = watch(snapshot, ({ remaining_credits }) => balances.push(remaining_credits), { flush: 'sync' })
  await until(() => snapshot.value.remaining_credits === 3, 'it connects by itself')
  await start()
  assert.is(snapshot.value.state, 'live')
  assert.is(snapshot.value, meter.snapshot)
  await ping()
  assert.is((await end()).end_reason, 'seller')
  assert.ok(balances.includes(3) && balances.includes(2), 'what watches it sees the changes')
  scope.stop()
  stop()
  assert.is(meter.snapshot.connection, null)
})

test('Vue: on a server it renders, and stays idle', async () => {
  let connected = true
  const app = createSSRApp({
    setup() {
      const { meter, snapshot } = composeCreditMeter({ url: server.url, livestreamId: 'x', getToken: () => 'x' })
      connected = meter.state !== 'idle'
      return () => h('p', snapshot.value.state)
    },
  })
  assert.is(await renderToString(app), '<p>idle</p>')
  assert.is(connected, false)
})

test.run()
