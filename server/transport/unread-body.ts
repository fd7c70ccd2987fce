import { IncomingMessage } from 'node:http'

/** What Node calls for a request that is answered and was not read. */
const dump = '_dump'
type Dumping = { [dump](): void }

/**
 * A request that can be told that nobody reads its body. Node makes a stream of it that ends and closes in five steps, once it is
 * answered, also where there is no body: about a tenth of a heartbeat. What is overridden here only saves those steps: were Node to
 * call it no more, it would take them.
 */
export class UnreadableRequest extends IncomingMessage {
  isUnread = false

  static {
    // Node forgets a request that is answered once this is true, and else with the next one on its connection. Node has it as an
    // accessor, of which the types know nothing.
    Object.defineProperty(UnreadableRequest.prototype, 'readableEnded', {
      get(this: UnreadableRequest): boolean {
        return this.isUnread || Reflect.get(IncomingMessage.prototype, 'readableEnded', this)
      },
    })
  }

  /** Node stops reading from the connection where this is not true. */
  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    return this.isUnread || super.push(chunk, encoding)
  }

  [dump](): void {
    if (!this.isUnread) (IncomingMessage.prototype as unknown as Dumping)[dump].call(this)
  }
}

/** Has Node drop a body as it comes, if there is one. To be said in the turn in which the request came: by the next, some of it may be kept. */
export function leaveUnread(request: IncomingMessage): void {
  if (request instanceof UnreadableRequest) request.isUnread = true
}
