import type { HeartbeatAnswer } from '../../../client-sdk/protocol/index.js'
import { Refusal } from '../../domain/errors.js'
import { toTimestamp } from '../../domain/instant.js'
import { type Subscriber, UNKNOWN_YET } from '../../services/dispatch.js'
import type { Waiter } from '../../services/waiter.js'
import type { Identity } from '../../tokens.js'
import { parse } from '../validate.js'
import type { Connection, SocketParts } from './connection.js'
import { sendEvent } from './ready-frames.js'
import { livestreamRequest, renewRequest, startRequest, subscribeRequest } from './schemas.js'

/** Answers one client event: parse, call, reply. Throws a Refusal. */
type ChangeHandler = (connection: Connection, payload: unknown) => Promise<object>

/** What a client may send (P3). */
export interface Requests {
  /** The livestream of a ping. Throws a Refusal where the payload names none. */
  pinged(payload: unknown): string
  ping(connection: Connection, livestreamId: string, waiter: Waiter<HeartbeatAnswer>): void
  /** All the others, by their names. */
  readonly changes: ReadonlyMap<string, ChangeHandler>
}

export function createRequests({ services, dispatch }: SocketParts): Requests {
  const { livestreams, heartbeats, snapshots, tokens } = services

  const start: ChangeHandler = async ({ identity }, payload) => {
    const { livestream_id, time_scale } = parse(startRequest, payload)
    return livestreams.start(livestream_id, identity, time_scale)
  }

  const end: ChangeHandler = async ({ identity }, payload) =>
    livestreams.end(parse(livestreamRequest, payload).livestream_id, identity)

  /** Before its first snapshot is read: whatever is committed after that is past the snapshot, and the dispatch knows of it. */
  function join({ socket, identity }: Connection): Subscriber {
    const subscriber: Subscriber = { cursor: UNKNOWN_YET, send: (kind, event) => sendEvent(socket, kind, event) }
    dispatch.join(identity.sub, subscriber)
    return subscriber
  }

  const subscribe: ChangeHandler = async (connection, payload) => {
    const { livestream_id, after } = parse(subscribeRequest, payload)
    const { identity, socket } = connection
    const isFirst = connection.subscriber === null
    const subscriber = connection.subscriber ?? join(connection)
    try {
      const first = await snapshots.snapshot(livestream_id, identity, after)
      if (isFirst) subscriber.cursor = after === undefined || first.reset ? first.seq : after
      // Who has left meanwhile has not been seen out: there was nobody to see.
      if (socket.connected) connection.subscriber = subscriber
      else if (isFirst) dispatch.leave(identity.sub, subscriber)
      // First everything up to the snapshot, then the snapshot, then what comes after it (V3).
      for (let snapshot = first; ; ) {
        await dispatch.catchUp(identity.sub, snapshot.seq)
        if (subscriber.cursor === snapshot.seq || !socket.connected) return snapshot
        snapshot = { ...(await snapshots.snapshot(livestream_id, identity)), reset: first.reset }
      }
    } catch (error) {
      // It has subscribed to nothing yet.
      if (connection.subscriber === null) dispatch.leave(identity.sub, subscriber)
      throw error
    }
  }

  const renew: ChangeHandler = async (connection, payload) => {
    const { token } = parse(renewRequest, payload)
    const renewed: Identity = await tokens.verifyOnce(token)
    const { sub, role } = connection.identity
    if (renewed.sub !== sub || renewed.role !== role) {
      throw new Refusal('identity_changed', 'A renewed token is for the same sub and role; connect anew for another')
    }
    connection.identity = renewed
    connection.expiry.renew(renewed.expiresAt)
    return { expires_at: toTimestamp(renewed.expiresAt) }
  }

  return {
    pinged: (payload) => parse(livestreamRequest, payload).livestream_id,
    ping: ({ identity }, livestreamId, waiter) => heartbeats.take(livestreamId, identity, waiter),
    changes: new Map(Object.entries({ subscribe, start, end, renew })),
  }
}
