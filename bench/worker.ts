import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What Node runs the TypeScript of this folder with, in processes of their own (as-built.mjs). */
export const AS_BUILT = ['--import', new URL('./as-built.mjs', import.meta.url).href]

/** A process of this folder that answers each order with one message, in their order. */
export interface Worker {
  ask<T>(order: object | string): Promise<T>
  /** Its next message. */
  next<T>(): Promise<T>
  /** Tells it to end, and waits until it has. */
  end(): Promise<void>
  /** Waits until it has ended by itself. */
  ended(): Promise<void>
}

export function startWorker(file: string, execArgv: readonly string[] = []): Worker {
  const child: ChildProcess = fork(fileURLToPath(new URL(file, import.meta.url)), {
    execArgv: [...AS_BUILT, ...execArgv],
  })
  const gone = once(child, 'exit')
  const failed = gone.then(([code]) => {
    throw new Error(`${file} ended with exit code ${code}`)
  })
  failed.catch(() => undefined)
  const next = async <T>(): Promise<T> => {
    const [message] = (await Promise.race([once(child, 'message'), failed])) as [T]
    return message
  }
  return {
    next,
    ask(order) {
      const answer = next<never>()
      child.send(order)
      return answer
    },
    async end() {
      if (child.connected) child.send('end')
      await gone
    },
    async ended() {
      await gone
    },
  }
}
