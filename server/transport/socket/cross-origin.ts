import type { Server as HttpServer, RequestListener } from 'node:http'
import cors from 'cors'

/**
 * Has browsers of these origins read the answers of long-polling. It stands in front of what Engine.IO answers: as a middleware of
 * Engine.IO it would be waited for at each WebSocket's handshake too, which has no use for it.
 * @param path of all that is asked of Engine.IO
 */
export function allowPollingFrom(corsOrigins: readonly string[], http: HttpServer, path: string): void {
  const crossOrigin = cors({ origin: [...corsOrigins] })
  const listeners = http.listeners('request') as RequestListener[]
  const answer: RequestListener = (req, res) => {
    for (const listener of listeners) listener.call(http, req, res)
  }
  http.removeAllListeners('request')
  http.on('request', (req, res) => {
    if (req.url?.startsWith(path)) crossOrigin(req, res, () => answer(req, res))
    else answer(req, res)
  })
}
