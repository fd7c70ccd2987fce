import { type FileHandle, open } from 'node:fs/promises'
import type Sqlite from 'better-sqlite3'
import { Refusal } from '../domain/errors.js'

/** Lets a commit wait for the disk beside the event loop, where SQLite itself would hold it. */
export interface SqliteDisk {
  /**
   * What `commit` commits is not on disk when this resolves, but when a later `sync` does. Nothing else may use the
   * connection meanwhile.
   */
  unsynced<T>(commit: () => Promise<T>): Promise<T>
  /**
   * Resolves when everything that was committed before is on disk.
   * @throws Refusal `temporarily_unavailable` where the disk does not take it
   */
  sync(): Promise<void>
  close(): void
}

/**
 * The write-ahead log takes commits one after the other, and synchronous=FULL is SQLite's fsync of that file at the end of
 * each; here it is ours, in a thread. Whatever is committed meanwhile, by whichever process, lies behind in the same file:
 * nothing that was decided on a heartbeat can outlive it.
 */
export function diskOf(sqlite: Sqlite.Database): SqliteDisk {
  let log: Promise<FileHandle> | null = null
  /** What the connection was set to when it was first asked: 0 for off, where nothing waits for the disk at all. */
  let synchronous: unknown = null

  /** The next one who waits opens it anew: what failed once may go well then. */
  function forget(): void {
    log?.then((file) => file.close()).catch(() => undefined)
    log = null
  }

  return {
    async unsynced(commit) {
      synchronous ??= sqlite.pragma('synchronous', { simple: true })
      if (synchronous === 0) return commit()
      sqlite.pragma('synchronous = normal')
      try {
        return await commit()
      } finally {
        sqlite.pragma(`synchronous = ${synchronous}`)
      }
    },
    async sync() {
      if (sqlite.memory || synchronous === 0) return
      log ??= open(`${sqlite.name}-wal`, 'r+')
      try {
        await (await log).datasync()
      } catch (cause) {
        forget()
        const refusal = new Refusal('temporarily_unavailable', 'The disk does not answer, try again in a moment')
        throw Object.assign(refusal, { cause })
      }
    },
    close: forget,
  }
}
