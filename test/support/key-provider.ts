import { createPublicKey, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TokenKeys } from '../../server/jwt-config.js'

/** A JWKS address on this machine that says what the test wants. */
export async function keyProvider() {
  const keys: object[] = []
  let status = 200
  let requests = 0
  const server = createServer((_, response) => {
    requests += 1
    response
      .writeHead(status, { 'content-type': 'application/json', location: '/elsewhere' })
      .end(JSON.stringify({ keys }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    config: {
      kind: 'jwks',
      url: `http://127.0.0.1:${port}/jwks.json`,
      algorithms: ['RS256', 'ES256'],
      issuer: null,
      audience: null,
    } satisfies TokenKeys,
    publish: (...published: object[]) => keys.splice(0, keys.length, ...published),
    answer: (code: number) => {
      status = code
    },
    requests: () => requests,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A public key as a provider publishes it. */
export const jwk = (key: KeyObject, kid?: string): object => ({
  ...createPublicKey(key).export({ format: 'jwk' }),
  use: 'sig',
  ...(kid && { kid }),
})
