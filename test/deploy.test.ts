import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { Server } from 'socket.io'
import type { Socket } from 'socket.io-client'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { parseDuration } from '../server/duration.js'
import { jwtSettings } from '../server/jwt-config.js'
import { settings } from '../server/settings.js'
import { readProjectFile } from './sources.js'
import { checkConfiguration, type Nginx, startNginx, testWithNginx } from './support/nginx.js'
import { rawRequest } from './support/raw-request.js'
import { arrival, connect, dial, disconnectAll, until } from './support/sockets.js'

// What can be said of deploy/ without a Docker engine.

interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly image: string
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test: string | readonly string[] }
  readonly networks?: Readonly<Record<string, { readonly ipv4_address: string }>>
  readonly volumes?: readonly string[]
  readonly stop_grace_period?: string
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, unknown>>
  readonly volumes: Readonly<Record<string, unknown>>
}

const composeText = readProjectFile('deploy/compose.yaml')
const compose = parse(composeText, { merge: true }) as Compose
const servers = Object.entries(compose.services).filter(([name]) => name.startsWith('server-'))
const conf = readProjectFile('deploy/nginx.conf')
const readme = readProjectFile('deploy/README.md')
const knownSettings = [...Object.keys(settings.shape), ...Object.keys(jwtSettings(true).in.shape)]

test('deploy: compose.yaml starts two servers of one image, with settings that the server knows', () => {
  assert.equal(
    servers.map(([name]) => name),
    ['server-1', 'server-2'],
  )
  assert.is(new Set(servers.map(([, { image }]) => image)).size, 1)
  assert.is(servers.filter(([, { build }]) => build).length, 1, 'two builds of one image collide')
  for (const [name, { environment = {}, stop_grace_period = '' }] of servers) {
    const unknown = Object.keys(environment).filter((variable) => !knownSettings.includes(variable))
    assert.equal(unknown, [], `${name} is given what the server does not know`)
    assert.ok((parseDuration(stop_grace_period) ?? 0) > 15_000, 'a server has 15 s to drain')
  }
})

test('deploy: compose.yaml names what is there, and waits only for what has a check', () => {
  for (const [name, { depends_on = {}, volumes = [], healthcheck, networks = {} }] of Object.entries(
    compose.services,
  )) {
    assert.ok(healthcheck, `${name} has a check`)
    for (const [other, { condition }] of Object.entries(depends_on)) {
      assert.ok(compose.services[other], `${name} depends on ${other}`)
      assert.is(condition, 'service_healthy')
    }
    for (const network of Object.keys(networks)) assert.ok(network in compose.networks, `${name} is in ${network}`)
    for (const volume of volumes) {
      const [source = ''] = volume.split(':')
      const isThere = source.startsWith('.') ? existsSync(join('deploy', source)) : source in compose.volumes
      assert.ok(isThere, `${name} mounts ${source}`)
    }
  }
})

test('deploy: compose.yaml refuses to start without its secrets, and .env.example names them all', () => {
  const variables = [...composeText.matchAll(/\$\{(\w+)(:\?)?/g)]
  assert.equal(
    variables.filter(([, , required]) => required === undefined).map(([, name]) => name),
    [],
    'a variable is not required',
  )
  const example = parseEnv(readProjectFile('deploy/.env.example'))
  assert.equal([...new Set(variables.map(([, name]) => name))].sort(), Object.keys(example).sort())
  assert.equal(
    Object.values(example).filter((value) => value !== ''),
    [],
    'an example that works would be used as it is',
  )
})

interface Instruction {
  readonly word: string
  readonly rest: string
}

/** The instructions of each stage of a Dockerfile. */
function stagesOf(dockerfile: string): Instruction[][] {
  const lines = dockerfile.replace(/^#.*\n/gm, '').replace(/\\\n/g, ' ')
  const stages: Instruction[][] = []
  for (const [, word = '', rest = ''] of lines.matchAll(/^([A-Z]+)\s+(.+)$/gm)) {
    if (word === 'FROM') stages.push([])
    stages.at(-1)?.push({ word, rest })
  }
  return stages
}

/** What the instructions of a kind say. */
const saying = (stage: readonly Instruction[], word: string): string[] =>
  stage.filter((instruction) => instruction.word === word).map(({ rest }) => rest)

const stages = stagesOf(readProjectFile('deploy/Dockerfile'))

test('deploy: the image runs as nobody in particular, says how it is, and stops gracefully', () => {
  const last = stages.at(-1) ?? []
  const [user = 'root'] = saying(last, 'USER').slice(-1)
  assert.not.match(user, /^(root|0)\b/)
  assert.match(saying(last, 'HEALTHCHECK').join(), /\/healthz/)
  assert.equal(saying(last, 'STOPSIGNAL'), ['SIGTERM'])
  const command = [...saying(last, 'ENTRYPOINT'), ...saying(last, 'CMD')].flatMap((text) => JSON.parse(text))
  assert.equal(command, ['node', 'dist/server/cli.js', 'serve'])
  const names = saying(last, 'ENV').flatMap((text) => [...text.matchAll(/(\w+)=/g)].map(([, name = '']) => name))
  assert.equal(
    names.filter((name) => !['NODE_ENV', ...knownSettings].includes(name)),
    [],
  )
})

test('deploy: what the image copies is there, and reaches the build', () => {
  const admitted = readProjectFile('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1))
  const sources = stages
    .flatMap((stage) => saying(stage, 'COPY'))
    .filter((copy) => !copy.startsWith('--from='))
    .flatMap((copy) => copy.split(/\s+/).slice(0, -1))
  assert.ok(sources.length > 0)
  for (const source of sources) {
    assert.ok(existsSync(source), `${source} is there`)
    assert.ok(admitted.includes(source.split('/')[0] ?? ''), `.dockerignore leaves ${source} out`)
  }
  for (const [, { build }] of servers) {
    if (build) assert.ok(existsSync(join('deploy', build.context, build.dockerfile)))
  }
})

test('deploy: README.md names metrics that the server has, services and files that are there', () => {
  const metrics = readProjectFile('server/services/metrics.ts')
  for (const [name] of readme.matchAll(/\btallylight_\w+/g)) assert.ok(metrics.includes(`'${name}'`), name)
  for (const [, service = ''] of readme.matchAll(/docker compose exec (?:-T )?([\w-]+)/g)) {
    assert.ok(service in compose.services, service)
  }
  for (const [, target = ''] of readme.matchAll(/\]\(([^)#]+)\)/g))
    assert.ok(existsSync(join('deploy', target)), target)
})

interface Backend {
  readonly port: number
  /** What reached it, as `GET /path`. */
  readonly asked: string[]
  close(): Promise<void>
}

/** In place of a server: tells what it was asked, hangs up on `/hang-up`, and says its name on a socket. */
async function startBackend(name: string): Promise<Backend> {
  const asked: string[] = []
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    asked.push(`${request.method} ${request.url}`)
    if (request.url === '/hang-up') request.socket.destroy()
    else response.setHeader('content-type', 'application/json').end(JSON.stringify({ name, headers: request.headers }))
  }
  const http = createServer(answer)
  const io = new Server(http, { serveClient: false })
  io.on('connection', (socket) => socket.on('who', (reply: (name: string) => void) => reply(name)))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    port: (http.address() as AddressInfo).port,
    asked,
    async close() {
      http.closeAllConnections()
      await io.close()
    },
  }
}

interface Setup {
  readonly nginx: Nginx
  readonly backends: readonly [Backend, Backend]
  /** What reached either of them. */
  asked(): string[]
}

/** The real nginx with the real configuration, before two servers. */
async function withNginx(body: (setup: Setup) => Promise<void>): Promise<void> {
  const backends = [await startBackend('one'), await startBackend('two')] as const
  const [one, two] = backends
  const upstreams = { 'server-1:3000': one.port, 'server-2:3000': two.port }
  const nginx = await startNginx(conf, { upstreams, listen: '8080' })
  try {
    await body({ nginx, backends, asked: () => backends.flatMap(({ asked }) => asked) })
  } finally {
    disconnectAll()
    await nginx.stop()
    await Promise.all(backends.map((backend) => backend.close()))
  }
}

const who = (socket: Socket): Promise<string> => socket.timeout(5_000).emitWithAck('who')
const namesOf = async (url: string, transports: string[]): Promise<string[]> => {
  const sockets = await Promise.all(Array.from({ length: 6 }, () => connect(url, 'no token', { transports })))
  return Promise.all(sockets.map(({ socket }) => who(socket)))
}

testWithNginx({
  async 'deploy: nginx takes the configuration'() {
    const upstreams = { 'server-1:3000': 3001, 'server-2:3000': 3002 }
    assert.match(await checkConfiguration(conf, { upstreams, listen: '8080' }), /test is successful/)
  },

  async 'deploy: through nginx, WebSockets are spread over the servers'() {
    await withNginx(async ({ nginx }) => {
      const names = await namesOf(nginx.url, ['websocket'])
      assert.equal(names.toSorted(), ['one', 'one', 'one', 'two', 'two', 'two'])
    })
  },

  async 'deploy: through nginx, long-polling of a client stays on one server, and so does the WebSocket that it becomes'() {
    await withNginx(async ({ nginx }) => {
      const polling = await namesOf(nginx.url, ['polling'])
      assert.is(new Set(polling).size, 1, 'all of them have one address')
      const upgrading = Array.from(
        { length: 6 },
        () => dial(nginx.url, { transports: ['polling', 'websocket'] }).socket,
      )
      await Promise.all(
        upgrading.map(async (socket) => {
          await arrival(socket)
          const { engine } = socket.io
          await until(() => engine.transport.name === 'websocket', 'the upgrade')
        }),
      )
      assert.equal(new Set(await Promise.all(upgrading.map(who))), new Set(polling))
    })
  },

  async 'deploy: nginx passes on who asks, and by which name'() {
    await withNginx(async ({ nginx }) => {
      const { headers } = (await (await fetch(`${nginx.url}/api/credits/`)).json()) as {
        headers: Record<string, string>
      }
      const { host } = new URL(nginx.url)
      assert.is(headers['host'], host, 'with its port: the origin of a WebSocket is compared with it')
      assert.is(headers['x-forwarded-host'], host)
      assert.is(headers['x-forwarded-for'], '127.0.0.1')
      assert.is(headers['x-forwarded-proto'], 'http')
      assert.is(headers['upgrade'], undefined)
    })
  },

  async 'deploy: what is for operators is not reachable through nginx, however it is written'() {
    const names = ['/metrics', '/healthz', '/readyz']
    const spellings = [
      '/metrics/',
      '/METRICS',
      '//metrics',
      '/%6detrics',
      '/api/../metrics',
      '/metrics?a=1',
      '/metrics%2F',
    ]
    await withNginx(async ({ nginx, asked }) => {
      for (const path of [...names, ...spellings]) {
        const { status } = await rawRequest(nginx.url, { method: 'GET', path })
        assert.is(status, 404, path)
      }
      assert.equal(asked(), [])
    })
  },

  async 'deploy: nginx never sends a start or a grant twice, and asks the other server what may be repeated'() {
    await withNginx(async ({ nginx, asked }) => {
      for (const method of ['PATCH', 'POST']) {
        const { status } = await rawRequest(nginx.url, { method, path: '/hang-up' })
        assert.is(status, 502)
      }
      assert.equal(asked(), ['PATCH /hang-up', 'POST /hang-up'].toSorted())
      await rawRequest(nginx.url, { method: 'GET', path: '/hang-up' })
      assert.is(asked().filter((what) => what === 'GET /hang-up').length, 2)
    })
  },

  async 'deploy: nginx sends to the other server what could not be sent to one that is gone'() {
    await withNginx(async ({ nginx, backends: [one, two] }) => {
      await one.close()
      for (let i = 0; i < 6; i += 1) {
        const { status } = await rawRequest(nginx.url, { method: 'PATCH', path: '/api/livestreams/start/a/' })
        assert.is(status, 200)
      }
      assert.is(two.asked.length, 6)
    })
  },
})

test.run()
