/** Hears, once, what became of something: what a promise does, where hundreds of thousands of them would be too many. */
export interface Waiter<T> {
  resolve(value: T): void
  reject(error: unknown): void
}
