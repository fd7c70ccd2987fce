import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MINUTE_MS } from '../../../server/domain/instant.js'
import { makeSeller } from '../../support/sellers.js'
import { startServer, type TestServer } from '../../support/server.js'

// A page as the old server's integration guide writes it, step by step: only its timer is the test's clock.
class GuidePage {
  isStreaming = false
  readonly displayed: number[] = []
  readonly notifications: { title: string; text: string }[] = []

  constructor(
    private readonly server: TestServer,
    private readonly livestreamId: string,
    private readonly token: string,
  ) {}

  async startStream(): Promise<void> {
    const response = await this.fetch('PATCH', `/api/livestreams/start/${this.livestreamId}/`)
    if (response.ok) this.isStreaming = true
  }

  async sendHeartbeat(): Promise<void> {
    if (!this.isStreaming) return
    const response = await this.fetch('POST', `/api/livestreams/${this.livestreamId}/heartbeat/`, '{}')
    if (response.ok) {
      const data = (await response.json()) as { remaining_credits: number }
      this.updateCreditDisplay(data.remaining_credits)
    } else if (response.status === 400) {
      const errorData = (await response.json()) as { error: string }
      if (errorData.error.includes('not currently live')) this.handleStreamEnded('Server ended the stream')
    }
  }

  async endStream(): Promise<Response> {
    this.isStreaming = false
    return this.fetch('PATCH', `/api/livestreams/end/${this.livestreamId}/`)
  }

  private handleStreamEnded(reason: string): void {
    this.isStreaming = false
    this.notifications.push({ title: 'Stream Ended', text: reason })
  }

  private updateCreditDisplay(credits: number): void {
    this.displayed.push(credits)
    if (credits <= 2) this.notifications.push({ title: 'Low Credits', text: `only ${credits} credits remaining` })
  }

  private fetch(method: string, path: string, body?: string): Promise<Response> {
    return fetch(`${this.server.url}${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body }),
    })
  }
}

const server = await startServer()
test.after(() => server.close())

test('H: a page of the guide streams until its credits are gone', async () => {
  const { token, livestreamId } = await makeSeller(server, 5)
  const page = new GuidePage(server, livestreamId, token)
  await page.startStream()

  for (let beat = 0; beat < 40 && page.isStreaming; beat++) {
    await server.pass(5 * MINUTE_MS)
    await page.sendHeartbeat()
  }

  // 5 credits are 5 intervals of 30 minutes: the first was paid by the start, and the heartbeat at 150 minutes is too late.
  const six = (credits: number) => Array(6).fill(credits)
  assert.equal(page.displayed, [...Array(5).fill(4), ...six(3), ...six(2), ...six(1), ...six(0)])
  const titles = page.notifications.map(({ title }) => title)
  assert.equal(titles, [...Array(18).fill('Low Credits'), 'Stream Ended'])
  assert.equal(page.notifications.at(-1), { title: 'Stream Ended', text: 'Server ended the stream' })
  const { body } = await server.request('GET', `/api/livestreams/${livestreamId}/`, { token })
  assert.is(body.run.end_reason, 'credits_exhausted')
  assert.is(Date.parse(body.run.ended_at) - Date.parse(body.run.started_at), 150 * MINUTE_MS)
})

test('H, A4: a page whose tab is closed is ended after 15 minutes, and pays no further interval', async () => {
  const { token, livestreamId } = await makeSeller(server, 5)
  const page = new GuidePage(server, livestreamId, token)
  await page.startStream()
  await server.pass(5 * MINUTE_MS)
  await page.sendHeartbeat()

  await server.pass(60 * MINUTE_MS)

  await page.sendHeartbeat()
  assert.equal(page.notifications, [{ title: 'Stream Ended', text: 'Server ended the stream' }])
  const { body } = await server.request('GET', `/api/livestreams/${livestreamId}/`, { token })
  assert.is(body.run.end_reason, 'inactivity')
  assert.is(Date.parse(body.run.ended_at) - Date.parse(body.run.started_at), 20 * MINUTE_MS)
  assert.is(body.run.credits_consumed, 1)
})

test('H, E2: a page ends its stream, and starts it again as a run of its own', async () => {
  const { token, livestreamId } = await makeSeller(server, 5)
  const page = new GuidePage(server, livestreamId, token)
  await page.startStream()
  const ended = await page.endStream()
  assert.is(ended.status, 200)
  await page.startStream()
  await page.sendHeartbeat()
  assert.equal(page.displayed, [3])
})

test.run()
