/** What a page tells of the person before it. */
export interface PageHooks {
  /** The page is seen again, or the net is back. */
  awake(): void
  /** A pointer, a key, a touch, or media that plays. Null where nobody wants to know. */
  interacted: (() => void) | null
}

const INTERACTIONS = ['pointerdown', 'pointermove', 'keydown', 'play', 'timeupdate']

/** Watches the page until the life ends. Where there is none, on a server say, it does nothing. */
export function watchPage(hooks: PageHooks, signal: AbortSignal): void {
  const { document } = globalThis
  if (!document) return
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && hooks.awake(), {
    signal,
  })
  addEventListener('online', hooks.awake, { signal })
  if (!hooks.interacted) return
  // Media events do not bubble, but all can be captured.
  for (const kind of INTERACTIONS) {
    document.addEventListener(kind, hooks.interacted, { signal, capture: true, passive: true })
  }
}
