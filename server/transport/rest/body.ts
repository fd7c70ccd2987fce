import type { IncomingMessage } from 'node:http'
import express, { type RequestHandler } from 'express'
import { Refusal } from '../../domain/errors.js'

/** The largest body that is read, of any route. */
export const LARGEST_BODY_BYTES = 16 * 1024

/** Reads the body as JSON, whatever it calls itself. */
export const jsonBody: RequestHandler = express.json({ limit: LARGEST_BODY_BYTES, strict: false, type: () => true })

/**
 * For the old routes, which ignore their body, whatever it holds (H): only its size is looked at. Null where that is told, and nothing is
 * waited for.
 * @throws Refusal `payload_too_large`
 */
export function ignoredBody(req: IncomingMessage): Promise<void> | null {
  if (tellsLength(req)) {
    // Node itself holds a body to its length.
    if (Number(req.headers['content-length'] ?? 0) > LARGEST_BODY_BYTES) throw tooLarge()
    return null
  }
  return new Promise<void>((resolve, reject) => {
    let bytes = 0
    const count = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= LARGEST_BODY_BYTES) return
      req.off('data', count).off('end', resolve)
      req.resume()
      reject(tooLarge())
    }
    req.on('data', count).once('end', resolve)
  })
}

/** Whether a request says how long its body is; one without a body does too. */
export const tellsLength = (req: IncomingMessage): boolean => req.headers['transfer-encoding'] === undefined

function tooLarge(): Refusal {
  return new Refusal('payload_too_large', 'The body is larger than 16 KiB')
}
