import type { IncomingMessage } from 'node:http'

/**
 * Has the answer to a WebSocket's handshake and Engine.IO's first packet, which follows it in the same turn of the event loop, go out
 * in one piece: each write is a system call, and wakes the client. Only where Engine.IO has nothing left to refuse: then it would
 * destroy the stream, and what is held back with it.
 */
export function sendWithFirstPacket({ url = '', socket }: IncomingMessage): void {
  if (!isNewWebSocket(url)) return
  socket.cork()
  setImmediate(() => socket.uncork())
}

/** A WebSocket of protocol 4 that begins a session, and does not go on with one. */
function isNewWebSocket(url: string): boolean {
  return url.includes('EIO=4') && url.includes('transport=websocket') && !url.includes('sid=')
}
