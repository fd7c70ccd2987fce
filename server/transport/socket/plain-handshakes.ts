import type { Server as HttpServer } from 'node:http'

/** The query of a WebSocket that begins a session, as engine.io-client writes it, and what Engine.IO makes of it. */
const TEXT = '?EIO=4&transport=websocket'
const QUERY = Object.freeze({ EIO: '4', transport: 'websocket' })
const NOBODY = Object.freeze({})

/**
 * Spares Engine.IO what it makes of each WebSocket's handshake, where all are alike: the query, which it takes from the request if it is
 * there ("pre-existing `req._query`"), and for which it makes a URL otherwise; and the address of the other side, which costs a system
 * call, and nobody reads it. Both by internal names, of Engine.IO and of Node; under others one day, they are made as ever.
 * @param http that Engine.IO listens to already
 * @param path of all that is asked of Engine.IO
 */
export function sparePlainHandshakes(http: HttpServer, path: string): void {
  const plain = `${path}/${TEXT}`
  http.prependListener('upgrade', (request) => {
    if (request.url !== plain) return
    Object.assign(request, { _query: QUERY })
    Object.assign(request.socket, { _peername: NOBODY })
  })
}
