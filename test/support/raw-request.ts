import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'

export interface RawRequest {
  readonly method: string
  /** Sent as it is: `fetch` would tidy it up. */
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: Buffer
  /** Sends the body without saying how long it is. */
  readonly chunked?: boolean
}

/** A request that `fetch` would not send, on a connection of its own; its status, headers and text. */
export async function rawRequest(
  url: string,
  { method, path, headers = {}, body = Buffer.alloc(0), chunked = false }: RawRequest,
): Promise<{ status: number; headers: IncomingMessage['headers']; text: string }> {
  const { hostname, port } = new URL(url)
  const sent = request({ hostname, port, method, path, headers, agent: false })
  if (chunked) sent.setHeader('Transfer-Encoding', 'chunked')
  else if (body.length > 0) sent.setHeader('Content-Length', body.length)
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode ?? 0, headers: response.headers, text }
}
