/** Until a single question is given up, and a socket with it. */
export const ASK_MS = 10_000

/** What a promise comes to, unless the time runs out or the life ends before. Leaves no timer and no listener behind. */
export function within<T>(limitMs: number, life: AbortSignal, promise: Promise<T>, late: () => Error): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  let over = () => {}
  return new Promise<T>((resolve, reject) => {
    timer = setTimeout(() => reject(late()), limitMs)
    over = () => reject(life.reason)
    if (life.aborted) over()
    life.addEventListener('abort', over)
    promise.then(resolve, reject)
  }).finally(() => {
    clearTimeout(timer)
    life.removeEventListener('abort', over)
  })
}
