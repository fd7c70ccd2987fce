import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createLog, isReadByPeople } from '../server/log.js'

const SECRET = 'eyJhbGciOiJIUzI1NiJ9.secret.signature'

function collect(options: Parameters<typeof createLog>[0]) {
  const lines: string[] = []
  return { log: createLog(options, { write: (line) => lines.push(line) }), lines }
}

const places: Record<string, object> = {
  token: { token: SECRET },
  authorization: { authorization: SECRET },
  secret: { secret: SECRET },
  'a level down': { renewal: { token: SECRET } },
  'auth.token': { auth: { token: SECRET } },
  'headers.authorization': { headers: { authorization: SECRET } },
  'req.headers.authorization': { req: { headers: { authorization: SECRET, cookie: SECRET } } },
  'handshake.auth.token': { handshake: { auth: { token: SECRET }, headers: { authorization: SECRET } } },
  'socket.handshake.auth.token': { socket: { handshake: { auth: { token: SECRET }, headers: { cookie: SECRET } } } },
  'an error that carries one': { err: Object.assign(new Error('No'), { token: SECRET }) },
}

for (const [place, fields] of Object.entries(places)) {
  for (const pretty of [false, true]) {
    test(`P1: a token is not logged: ${place}${pretty ? ', pretty' : ''}`, () => {
      const { log, lines } = collect({ level: 'info', pretty })
      log.info(fields, 'said')
      log.child(fields).info('said')
      const text = lines.join('')
      assert.not.match(text, SECRET)
      assert.is(text.split('[redacted]').length - 1 >= 2, true)
    })
  }
}

test('what was logged is not changed by it', () => {
  const { log } = collect({ level: 'info', pretty: false })
  const fields = { auth: { token: SECRET } }
  log.info(fields)
  assert.is(fields.auth.token, SECRET)
})

test('a line is JSON with a readable level and time', () => {
  const { log, lines } = collect({ level: 'info', pretty: false })
  log.warn({ runId: 7 }, 'said')
  const { level, time, runId, msg } = JSON.parse(lines.join(''))
  assert.equal({ level, runId, msg }, { level: 'warn', runId: 7, msg: 'said' })
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('a pretty line is for people', () => {
  const { log, lines } = collect({ level: 'info', pretty: true })
  log.warn({ runId: 7 }, 'said')
  assert.match(lines.join(''), /WARN.*: said\n.*runId.*7/s)
})

const levels = [
  { level: 'info', logged: ['info', 'warn'] },
  { level: 'error', logged: [] },
  { level: 'debug', logged: ['debug', 'info', 'warn'] },
  { level: 'silent', logged: [] },
] as const
for (const { level, logged } of levels) {
  test(`level ${level} logs ${logged.join(', ') || 'none of them'}`, () => {
    const { log, lines } = collect({ level, pretty: false })
    log.debug('debug')
    log.info('info')
    log.warn('warn')
    assert.equal(
      lines.map((line) => JSON.parse(line).msg),
      logged,
    )
  })
}

test('production is never pretty', () => {
  assert.is(isReadByPeople(true), false)
})

test.run()
