import type { Server } from 'socket.io'
import type { Log } from '../../log.js'
import type { Dispatch } from '../../services/dispatch.js'

/** Past so many sellers the message says only that there is something: it has to stay small. */
const MOST_SELLERS = 50

/** What servers tell each other: the newest sequences of these sellers, or null for more than are worth naming. */
type Nudge = readonly (readonly [sellerId: string, seq: number])[] | null

export interface Nudges {
  add(sellerId: string, seq: number): void
}

/**
 * Nudges between servers, sent after the commit and never within it. They carry no event, so that one that is lost, late or
 * doubled is as good as none: each server sends what the cursors of its own sockets lack (V3).
 */
export function createNudges(io: Pick<Server, 'serverSideEmit' | 'on'>, dispatch: Dispatch, log: Log): Nudges {
  let waiting = new Map<string, number>()

  function send(): void {
    const told = waiting
    waiting = new Map()
    const nudge: Nudge = told.size > MOST_SELLERS ? null : [...told]
    io.serverSideEmit('nudge', nudge)
  }

  function failed(error: unknown): void {
    log.debug({ err: error }, 'a nudge could not be followed, the next look finds what it told')
  }

  ;(io as Server).on('nudge' as never, (nudge: Nudge) => {
    if (nudge === null) dispatch.lookForMissed().catch(failed)
    else for (const [sellerId, seq] of nudge) dispatch.catchUp(sellerId, seq).catch(failed)
  })

  return {
    add(sellerId, seq) {
      if (waiting.size === 0) setImmediate(send)
      waiting.set(sellerId, seq)
    },
  }
}
