import type { IncomingMessage } from 'node:http'

/**
 * A header of a request, as it is first said. `req.headers` would make an object of all of them, of which an API asks for two or three.
 * @param name in lower case
 */
export function headerOf({ rawHeaders }: IncomingMessage, name: string): string | undefined {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const said = rawHeaders[i]
    if (said?.length === name.length && said.toLowerCase() === name) return rawHeaders[i + 1]
  }
  return undefined
}
