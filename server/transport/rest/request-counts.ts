/** What one has asked in a window. */
export class Count {
  asked = 0

  /** @param until by `uptimeMs` */
  constructor(readonly until: number) {}
}

/**
 * Counts requests by who asks, each in windows of their own: one begins with the first request after the last one was over. It keeps those
 * who asked within two windows.
 */
export class RequestCounts {
  readonly #windowMs: number
  #younger = new Map<string, Count>()
  #older = new Map<string, Count>()
  #turnsAt = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** Counts a request at an instant of `uptimeMs`. */
  add(who: string, now: number): Count {
    if (now >= this.#turnsAt) {
      this.#older = this.#younger
      this.#younger = new Map()
      this.#turnsAt = now + this.#windowMs
    }
    let count = this.#younger.get(who) ?? this.#older.get(who)
    if (!count || count.until <= now) {
      count = new Count(now + this.#windowMs)
      this.#younger.set(who, count)
    }
    count.asked += 1
    return count
  }
}
