import type { Socket } from 'socket.io'
import * as parser from 'socket.io-parser'
import { isLivestreamId } from '../../domain/livestream-id.js'
import { writeAtOnce } from './ready-frames.js'

/** A ping as socket.io-client writes it, acknowledgement and all (Socket.IO protocol 5, packets EVENT and ACK). */
const PLAIN_PING = /^2(0|[1-9]\d{0,14})\["ping",\{"livestream_id":"([\w-]+)"\}\]$/
const ACK = '3'

/** Takes a ping for a livestream; `ackId` is what `answerPing` needs. */
type TakePing = (livestreamId: string, ackId: string) => void

/**
 * Reads what a client sends, and tells pings from their text. Nearly all that ever comes are pings, and what Socket.IO does
 * for one, in two turns of its queue, costs more than recording it. Whatever is not plainly one goes Socket.IO's way.
 */
class Decoder extends parser.Decoder {
  takePing: TakePing | null = null
  /** What came in this turn of the event loop and is on Socket.IO's way: a ping behind it must not overtake it. */
  #others = 0

  override add(chunk: unknown): void {
    if (this.#others === 0 && this.takePing && typeof chunk === 'string' && this.#isTaken(chunk, this.takePing)) return
    this.#others += 1
    setImmediate(() => {
      this.#others -= 1
    })
    super.add(chunk)
  }

  #isTaken(text: string, take: TakePing): boolean {
    const [, ackId, livestreamId] = PLAIN_PING.exec(text) ?? []
    if (ackId === undefined || livestreamId === undefined || !isLivestreamId(livestreamId)) return false
    take(livestreamId, ackId)
    return true
  }
}

/** For the server's options ("parser" in Socket.IO's documentation). */
export const pingParser = { ...parser, Decoder }

/**
 * Has the pings of a socket go straight to `take` from now on, or no longer. It leans on a field of Socket.IO's client; where that is another
 * day elsewhere, pings go Socket.IO's way.
 */
export function takePlainPings({ client }: Pick<Socket, 'client'>, take: TakePing | null): void {
  const { decoder } = client as unknown as { decoder?: unknown }
  if (decoder instanceof Decoder) decoder.takePing = take
}

/** Acknowledges a ping that was told from its text. */
export function answerPing(socket: Pick<Socket, 'conn'>, ackId: string, answer: object): void {
  writeAtOnce(socket, `${ACK}${ackId}[${JSON.stringify(answer)}]`)
}
