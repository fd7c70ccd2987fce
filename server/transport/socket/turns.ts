const NOTHING = Promise.resolve()

/**
 * The order of one socket's requests: each is done after those that were sent before it, but pings do not wait for each
 * other. Made of counters rather than of promises, since nearly all that ever comes are pings.
 */
export class Turns {
  /** Resolves when the changes so far are over; with nothing, since it lives as long as the socket. */
  #changes: Promise<void> = NOTHING
  #changing = 0
  #pinging = 0
  #afterPings: (() => void) | null = null

  /** Starts a request after everything that came before it. */
  change<T>(work: () => Promise<T>): Promise<T> {
    const isIdle = this.#changing === 0 && this.#pinging === 0
    this.#changing += 1
    const over = (): void => {
      this.#changing -= 1
    }
    const mine = isIdle ? work() : this.#changes.then(() => this.#pingsToEnd()).then(work)
    this.#changes = mine.then(over, over)
    return mine
  }

  /** Starts a ping after the changes that came before it; `pingEnded` is to be called once it is over. */
  ping(start: () => void): void {
    if (this.#changing === 0) this.#startPing(start)
    else void this.#changes.then(() => this.#startPing(start))
  }

  pingEnded(): void {
    this.#pinging -= 1
    if (this.#pinging > 0) return
    this.#afterPings?.()
    this.#afterPings = null
  }

  #startPing(start: () => void): void {
    this.#pinging += 1
    start()
  }

  /** New pings wait for the change that asks, so those under way come to an end. */
  #pingsToEnd(): Promise<void> {
    if (this.#pinging === 0) return NOTHING
    return new Promise((resolve) => {
      this.#afterPings = resolve
    })
  }
}
