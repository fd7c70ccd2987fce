import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LivestreamComponent } from '../../client-sdk/src/legacy.js'
import { elapse } from '../support/elapse.js'
import { grant, makeSeller, type TestSeller } from '../support/sellers.js'
import { startServer, type TestServer } from '../support/server.js'
import { until } from './watched-meter.js'

const MINUTE_MS = 60_000

/** A page as the guide has it: what it would show is written down. */
class Page extends LivestreamComponent {
  readonly shown: string[] = []
  readonly #token: string
  constructor(url: string, { token }: TestSeller) {
    super({ url })
    this.#token = token
  }
  override getAuthToken(): string {
    return this.#token
  }
  override showNotification(title: string, message: string, kind: string): void {
    this.shown.push(`${kind}: ${title}: ${message}`)
  }
  override redirectToDashboard(): void {
    this.shown.push('dashboard')
  }
  override updateCreditDisplay(remainingCredits: number): void {
    this.shown.push(`credits ${remainingCredits}`)
    super.updateCreditDisplay(remainingCredits)
  }
}

const lowCredits = (credits: number) =>
  `warning: Low Credits: You have only ${credits} credits remaining. Your stream will end automatically when credits run out.`

let server: TestServer
test.before(async () => {
  server = await startServer()
})
test.after(() => server.close())

/** Starts it as the guide does: by the REST route, before the heartbeat. */
async function started(credits: number): Promise<{ page: Page; seller: TestSeller }> {
  const seller = await makeSeller(server, credits)
  await server.request('PATCH', `/api/livestreams/start/${seller.livestreamId}/`, { token: seller.token })
  const page = new Page(server.url, seller)
  page.startHeartbeat(seller.livestreamId)
  assert.is(page.isStreaming, true)
  assert.is(page.livestreamId, seller.livestreamId)
  await until(() => page.shown.length > 0, 'the credits are shown')
  return { page, seller }
}

test('the class of the guide: shows the credits, and warns where they are low', async () => {
  const { page, seller } = await started(4)
  assert.equal(page.shown, ['credits 3'])
  await page.sendHeartbeat()
  assert.equal(page.shown.splice(0), ['credits 3', 'credits 3'])
  await server.pass(MINUTE_MS)
  await grant(server, seller.id, 2)
  await until(() => page.shown.length > 0, 'bought credits are shown')
  assert.equal(page.shown, ['credits 5'])
  page.stopHeartbeat()
  assert.is(page.isStreaming, false)
  assert.is(page.meter, null)
  await page.sendHeartbeat()
  assert.equal(page.shown, ['credits 5'], 'nothing is sent after it has stopped')

  const poor = await started(2)
  assert.equal(poor.page.shown, ['credits 1', lowCredits(1)])
  poor.page.stopHeartbeat()
})

test('the class of the guide: an end by the server is shown, and leads to the dashboard, once', async () => {
  const { page } = await started(4)
  page.shown.length = 0
  await server.pass(15 * MINUTE_MS)
  await until(() => !page.isStreaming, 'it is told')
  assert.equal(page.shown, ['warning: Stream Ended: Livestream ended due to inactivity', 'dashboard'])
  page.stopHeartbeat()
  await page.sendHeartbeat()
  assert.is(page.shown.length, 2)
})

test('the class of the guide: a heartbeat that finds it over says so', async () => {
  const { page } = await started(4)
  page.shown.length = 0
  await elapse(server, 15 * MINUTE_MS)
  await page.sendHeartbeat()
  assert.equal(page.shown, ['warning: Stream Ended: Livestream ended due to inactivity', 'dashboard'])
})

test('the class of the guide: a heartbeat of a livestream that was never started ends it too', async () => {
  const seller = await makeSeller(server, 4)
  const page = new Page(server.url, seller)
  page.startHeartbeat(seller.livestreamId)
  await page.sendHeartbeat()
  assert.is(page.isStreaming, false)
  assert.equal(page.shown.slice(-2), ['warning: Stream Ended: Server ended the stream', 'dashboard'])
})

test('the class of the guide: says what to override', async () => {
  const component = new LivestreamComponent({ url: server.url })
  const said: unknown[][] = []
  const original = console.error
  console.error = (...parts: unknown[]) => void said.push(parts)
  component.startHeartbeat('x')
  await until(() => said.length > 0, 'it is said')
  console.error = original
  assert.match(String(said[0]?.[1]), 'override getAuthToken')
  component.stopHeartbeat()
})

test.run()
