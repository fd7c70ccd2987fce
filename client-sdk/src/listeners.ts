export interface Listeners<E> {
  /** @returns what takes the listener off again */
  on<K extends keyof E>(event: K, listener: (payload: E[K]) => void): () => void
  off<K extends keyof E>(event: K, listener: (payload: E[K]) => void): void
  /** @returns whether anybody listened */
  emit<K extends keyof E>(event: K, payload: E[K]): boolean
  clear(): void
}

/** @param guard calls a listener, so that one that throws keeps nobody else from hearing */
export function createListeners<E>(guard: (call: () => void) => void): Listeners<E> {
  const all = new Map<keyof E, Set<unknown>>()
  const off: Listeners<E>['off'] = (event, listener) => {
    all.get(event)?.delete(listener)
  }
  return {
    on(event, listener) {
      const set = all.get(event) ?? new Set()
      all.set(event, set.add(listener))
      return () => off(event, listener)
    },
    off,
    emit(event, payload) {
      const heard = [...(all.get(event) ?? [])] as ((heard: typeof payload) => void)[]
      for (const listener of heard) guard(() => listener(payload))
      return heard.length > 0
    },
    clear: () => all.clear(),
  }
}
