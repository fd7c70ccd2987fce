import { fdatasyncSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { uptimeMs } from '../clock.js'
import { Refusal } from '../domain/errors.js'
import type { KeptSqlite } from './kept-sqlite.js'

/** What the disk usually takes at most where the event loop waits for it. */
const QUICK_MS = 1
/** How much of what it usually takes is what it took last, and how long that is at most: one sync that was held up says little. */
const LAST_COUNTS = 1 / 16
const LONGEST_MS = 4 * QUICK_MS
/** Where a thread waits for the disk, the event loop does so all the same this seldom, to learn whether it has become quick. */
const LOOK_EVERY = 32

/**
 * Pages of the write-ahead log, of 4 KB each, before the next commit copies them into the file, which holds the event loop: the
 * longer the more they are. Where that is allowed, a commit of a sweep costs a third less with the second (bench/charging.ts).
 */
const OFTEN_PAGES = 200
export const SELDOM_PAGES = 4_000

/** Lets a commit wait for a slow disk beside the event loop, where SQLite itself would hold it. */
export interface SqliteDisk {
  /**
   * What `commit` commits is not on disk when this resolves, but when a later `sync` does. Nothing else may use the
   * connection meanwhile.
   */
  unsynced<T>(commit: () => Promise<T>): Promise<T>
  /**
   * Resolves when everything that was committed before is on disk. Where the disk is quick, the event loop waits for it.
   * @throws Refusal `temporarily_unavailable` where the disk does not take it
   */
  sync(): Promise<void>
  /** Whether checkpoints of the write-ahead log may come seldom and hold the event loop longer; at first they may not. */
  checkpointSeldom(seldom: boolean): void
  close(): void
}

/**
 * The write-ahead log takes commits one after the other, and synchronous=FULL is SQLite's fsync of that file at the end of
 * each; here it is ours, in a thread. Whatever is committed meanwhile, by whichever process, lies behind in the same file:
 * nothing that was decided on a heartbeat can outlive it.
 */
export function diskOf(sqlite: KeptSqlite): SqliteDisk {
  let log: Promise<FileHandle> | null = null
  /** What the connection was set to when it was first asked: 0 for off, where nothing waits for the disk at all. */
  let synchronous: unknown = null
  let usualMs = QUICK_MS
  let besides = 0
  let checkpointPages = 0
  function checkpointAfter(pages: number): void {
    if (pages === checkpointPages) return
    sqlite.exec(`pragma wal_autocheckpoint = ${pages}`)
    checkpointPages = pages
  }
  checkpointAfter(OFTEN_PAGES)

  /** The next one who waits opens it anew: what failed once may go well then. */
  function forget(): void {
    log?.then((file) => file.close()).catch(() => undefined)
    log = null
  }

  /** Also true where it is time to look. How long a thread's answer takes says nothing: it comes when the event loop is free. */
  function isQuick(): boolean {
    if (usualMs < QUICK_MS) return true
    besides += 1
    return besides % LOOK_EVERY === 1
  }

  function waitHere({ fd }: FileHandle): void {
    const beganAt = uptimeMs()
    fdatasyncSync(fd)
    const tookMs = Math.min(uptimeMs() - beganAt, LONGEST_MS)
    usualMs += (tookMs - usualMs) * LAST_COUNTS
  }

  return {
    async unsynced(commit) {
      synchronous ??= sqlite.prepare('pragma synchronous').pluck().get()
      if (synchronous === 0) return commit()
      sqlite.exec('pragma synchronous = normal')
      try {
        return await commit()
      } finally {
        sqlite.exec(`pragma synchronous = ${synchronous}`)
      }
    },
    async sync() {
      if (sqlite.memory || synchronous === 0) return
      log ??= open(`${sqlite.name}-wal`, 'r+')
      try {
        const file = await log
        if (isQuick()) waitHere(file)
        else await file.datasync()
      } catch (cause) {
        forget()
        const refusal = new Refusal('temporarily_unavailable', 'The disk does not answer, try again in a moment')
        throw Object.assign(refusal, { cause })
      }
    },
    checkpointSeldom: (seldom) => checkpointAfter(seldom ? SELDOM_PAGES : OFTEN_PAGES),
    close: forget,
  }
}
