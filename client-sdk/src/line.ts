import type {
  EndAnswer,
  EventPage,
  HeartbeatAnswer,
  LivestreamRequest,
  RenewAnswer,
  RenewRequest,
  Snapshot,
  StartAnswer,
  StartRequest,
  SubscribeRequest,
} from '../protocol/index.js'
import type { TokenKeeper } from './token-keeper.js'

/** What can be asked of a server, over whichever way: the request, and the answer. */
export interface Questions {
  subscribe: [SubscribeRequest, Snapshot]
  ping: [LivestreamRequest, HeartbeatAnswer]
  start: [StartRequest, StartAnswer]
  end: [LivestreamRequest, EndAnswer]
  renew: [RenewRequest, RenewAnswer]
  events: [{ after: number }, EventPage]
}

/**
 * Asks, and rejects with a MeterError. Its code is `network` where the connection is gone, and then whoever holds it is
 * told that it is down: whether the question arrived is not known.
 */
export type Ask = <K extends keyof Questions>(kind: K, request: Questions[K][0]) => Promise<Questions[K][1]>

/** How a page reaches the server. */
export type Via = 'socket' | 'rest'

/** One connection, for as long as it holds. */
export interface Link {
  /** Over REST nothing comes unasked: whoever holds it has to look for events. */
  readonly via: Via
  readonly ask: Ask
  /** Closes it for good. */
  close(): void
}

/** What a link tells its holder. */
export interface LinkHooks {
  event(kind: string, payload: unknown): void
  /** It is gone. @param afterMs when the server wants to be called again, where it said so */
  down(link: Link, afterMs?: number): void
  expiring(link: Link): void
}

export interface LineParts {
  /** Where the server is, without a last slash. */
  readonly base: string
  readonly tokens: TokenKeeper
  /** What all waits but the backoff are multiplied by: 1, and less in tests. */
  readonly pace: number
  /** Ends the line, with all that it has open. */
  readonly life: AbortSignal
}

/** A way to the server that mends itself, until its life ends. */
export interface Line {
  readonly ask: Ask
  /** The net is back, or the page is: does not wait for the next attempt. */
  wake(): void
}

/** What a line tells the meter. */
export interface LineHooks {
  event(kind: string, payload: unknown): void
  /** There is a connection: subscribes. What it throws counts as a failure of the connection. */
  up(via: Via): Promise<void>
  down(): void
  /** Something went wrong, and is tried again; where the error is terminal, this ends the life of the line. */
  trouble(error: unknown): void
}
