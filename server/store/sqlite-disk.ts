import { type FileHandle, open } from 'node:fs/promises'
import type Sqlite from 'better-sqlite3'

/** Lets a commit wait for the disk beside the event loop, where SQLite itself would hold it. */
export interface SqliteDisk {
  /**
   * What `commit` commits is not on disk when this resolves, but when a later `sync` does. Nothing else may use the
   * connection meanwhile.
   */
  unsynced<T>(commit: () => Promise<T>): Promise<T>
  /** Resolves when everything that was committed before is on disk. */
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
  return {
    async unsynced(commit) {
      sqlite.pragma('synchronous = normal')
      try {
        return await commit()
      } finally {
        sqlite.pragma('synchronous = full')
      }
    },
    async sync() {
      if (sqlite.memory) return
      log ??= open(`${sqlite.name}-wal`, 'r+')
      await (await log).datasync()
    },
    close() {
      void log?.then((file) => file.close())
    },
  }
}
