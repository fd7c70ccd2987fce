import type { CreditMeter } from './credit-meter.js'
import { asMeterError } from './errors.js'
import { createMeter } from './meter.js'
import type { MeterSnapshot } from './snapshot.js'

/** How a `LivestreamComponent` reaches the server. */
export interface LivestreamComponentOptions {
  /** The address of the Tallylight server; the page's own server where it is left out. */
  readonly url?: string | undefined
}

/**
 * The class of the frontend integration guide, over a meter: the same methods, without the polling. Override
 * `getAuthToken`, and whatever the page shows in its own way.
 */
export class LivestreamComponent {
  livestreamId: string | null = null
  isStreaming = false
  /** What it all comes from, while the heartbeat runs. */
  meter: CreditMeter | null = null
  readonly #options: LivestreamComponentOptions
  #shownCredits: number | null = null

  constructor(options: LivestreamComponentOptions = {}) {
    this.#options = options
  }

  /** Watches a livestream that was started, pings while it is live, and shows what happens to it. */
  startHeartbeat(livestreamId: string): void {
    this.stopHeartbeat()
    this.livestreamId = livestreamId
    this.isStreaming = true
    this.#shownCredits = null
    const meter = createMeter({
      url: this.#options.url,
      livestreamId,
      getToken: async () => this.getAuthToken(),
    })
    this.meter = meter
    meter.on('change', (snapshot) => this.#show(snapshot))
    meter.on('error', (error) => console.error('Heartbeat error:', error, error.hint))
    meter.connect()
  }

  /** Says that the seller is there, now; it is said every five minutes anyway. */
  async sendHeartbeat(): Promise<void> {
    const { meter } = this
    if (!this.isStreaming || !meter) return
    try {
      const { remaining_credits } = await meter.ping()
      this.updateCreditDisplay(remaining_credits)
    } catch (thrown) {
      const error = asMeterError(thrown)
      if (error.code === 'destroyed') return
      console.error('Heartbeat error:', error, error.hint)
      if (error.code === 'livestream_not_live' && this.isStreaming) this.handleStreamEnded('Server ended the stream')
    }
  }

  /** Stops watching. Ends no stream. */
  stopHeartbeat(): void {
    this.meter?.destroy()
    this.meter = null
    this.isStreaming = false
  }

  /** The stream is over. @param reason in a sentence for the seller */
  handleStreamEnded(reason: string): void {
    this.stopHeartbeat()
    this.showNotification('Stream Ended', reason, 'warning')
    this.redirectToDashboard()
  }

  /** Shows the balance in the element `remaining-credits`, where there is one, and warns where it is low. */
  updateCreditDisplay(remainingCredits: number): void {
    const element = globalThis.document?.getElementById('remaining-credits')
    if (element) element.textContent = String(remainingCredits)
    const threshold = this.meter?.snapshot.policy?.low_credit_threshold ?? 2
    if (remainingCredits <= threshold) this.showLowCreditWarning(remainingCredits)
  }

  showLowCreditWarning(credits: number): void {
    this.showNotification(
      'Low Credits',
      `You have only ${credits} credits remaining. Your stream will end automatically when credits run out.`,
      'warning',
    )
  }

  /** Override: how the page shows a notification. */
  showNotification(title: string, message: string, _kind: string): void {
    console.warn(`${title}: ${message}`)
  }

  /** Override: where the page goes once the stream is over. */
  redirectToDashboard(): void {}

  /** Override: the seller's token. */
  getAuthToken(): string | Promise<string> {
    throw new Error('override getAuthToken() to return the token of the seller')
  }

  #show({ remaining_credits, end, state }: MeterSnapshot): void {
    if (remaining_credits !== null && remaining_credits !== this.#shownCredits) {
      this.#shownCredits = remaining_credits
      this.updateCreditDisplay(remaining_credits)
    }
    if (state === 'ended' && end && this.isStreaming) this.handleStreamEnded(end.message)
  }
}
