import { createHmac, createSecretKey, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ErrorCode } from '../client-sdk/protocol/index.js'
import { Refusal, SetupError } from '../server/domain/errors.js'
import { KeysUnavailable } from '../server/jwks.js'
import type { TokenKeys } from '../server/jwt-config.js'
import { bearerToken, createTokens, type Identity, type Tokens } from '../server/tokens.js'
import { handClock } from './support/hand-clock.js'
import { jwk, keyProvider } from './support/key-provider.js'

const NOW = Date.UTC(2026, 5, 1)
const NOW_S = NOW / 1_000
const IN_AN_HOUR = NOW_S + 3_600

const SECRET = 'correct-horse-battery-staple-0123456789'
const secretKey = createSecretKey(Buffer.from(SECRET))
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsaPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()

const anyone = { issuer: null, audience: null } as const
const bySecret: TokenKeys = { kind: 'secret', key: secretKey, algorithms: ['HS256'], ...anyone }
const byRsa: TokenKeys = { kind: 'public_key', key: rsa.publicKey, algorithms: ['RS256'], ...anyone }
const byEc: TokenKeys = { kind: 'public_key', key: ec.publicKey, algorithms: ['ES256'], ...anyone }
const aimed: TokenKeys = { ...bySecret, issuer: 'https://id.example/', audience: 'tallylight' }

const encoded = (part: unknown): string =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/** Signs by hand whatever is given, also what no library would sign. */
function hs256(payload: unknown, header: unknown = { alg: 'HS256', typ: 'JWT' }, secret = SECRET): string {
  const signed = `${encoded(header)}.${encoded(payload)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

function rs256(payload: unknown, key: KeyObject, header: object = {}): string {
  const signed = `${encoded({ alg: 'RS256', typ: 'JWT', ...header })}.${encoded(payload)}`
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`
}

const good = { sub: 'seller-1', exp: IN_AN_HOUR }

const accepted: { what: string; token: string; keys?: TokenKeys; is?: Partial<Identity> }[] = [
  { what: 'a secret', token: hs256(good) },
  { what: 'an RSA key', token: rs256(good, rsa.privateKey), keys: byRsa },
  { what: 'an EC key', token: jwt.sign(good, ec.privateKey, { algorithm: 'ES256' }), keys: byEc },
  { what: 'role seller', token: hs256({ ...good, role: 'seller' }) },
  { what: 'role service', token: hs256({ ...good, role: 'service' }), is: { role: 'service' } },
  { what: 'role operator', token: hs256({ ...good, role: 'operator' }), is: { role: 'operator' } },
  { what: 'a header without typ', token: hs256(good, { alg: 'HS256' }) },
  { what: 'parts of a second', token: hs256({ ...good, exp: NOW_S + 0.0015 }), is: { expiresAt: NOW + 1 } },
  { what: 'the last instant of all', token: hs256({ ...good, exp: 8.64e12 }), is: { expiresAt: 8.64e15 } },
  { what: 'an nbf that is now', token: hs256({ ...good, nbf: NOW_S }) },
  { what: 'an iat in the future', token: hs256({ ...good, iat: IN_AN_HOUR }) },
  {
    what: 'issuer and audience',
    token: hs256({ ...good, iss: 'https://id.example/', aud: 'tallylight' }),
    keys: aimed,
  },
  {
    what: 'one of its audiences',
    token: hs256({ ...good, iss: 'https://id.example/', aud: ['x', 'tallylight'] }),
    keys: aimed,
  },
  { what: 'an audience that nobody asks for', token: hs256({ ...good, iss: 'x', aud: 'y' }) },
  ...['a', 'x'.repeat(128), 'auth0|5f7c8', 'client@clients', 'a+b~c@example.org', 'urn:x:1'].map((sub) => ({
    what: `sub ${sub.slice(0, 20)}`,
    token: hs256({ ...good, sub }),
    is: { sub },
  })),
]

for (const { what, token, keys = bySecret, is } of accepted) {
  test(`P2: accepted: ${what}`, async () => {
    const { tokens } = setUp(keys)
    const expected = { sub: 'seller-1', role: 'seller', expiresAt: IN_AN_HOUR * 1_000, ...is }
    assert.equal(await tokens.verify(token), expected)
    assert.equal(await tokens.verify(token), expected, 'and again')
  })
}

const refused: { what: string; token: string; keys?: TokenKeys; code: ErrorCode; says: RegExp }[] = [
  { what: 'nothing', token: '', code: 'token_missing', says: /needed/ },
  ...[
    'garbled',
    'a.b',
    'a.b.c',
    '..',
    '.....',
    'null',
    '%%%.%%%.%%%',
    `${hs256(good)}\n`,
    ` ${hs256(good)}`,
    `${hs256(good)}.x`,
  ].map((token) => ({
    what: `garbled ${JSON.stringify(token.slice(0, 12))}`,
    token,
    code: 'token_invalid' as const,
    says: /garbled/,
  })),
  ...[null, 5, 'text', [], {}, { alg: 5 }, { alg: 'HS256', kid: 7 }, { alg: 'HS256', crit: ['b64'], b64: false }].map(
    (header) => ({
      what: `header ${JSON.stringify(header)}`,
      token: hs256(good, header),
      code: 'token_invalid' as const,
      says: /garbled/,
    }),
  ),
  ...[null, 5, '"text"', [], 'no JSON'].map((payload) => ({
    what: `payload ${JSON.stringify(payload)}`,
    token: hs256(payload, { alg: 'HS256' }),
    code: 'token_invalid' as const,
    says: /garbled|no claims|no sub/,
  })),
  {
    what: 'a payload that is no JSON, though it says so',
    token: hs256('{"sub":'),
    code: 'token_invalid',
    says: /garbled/,
  },
  { what: 'a payload of null', token: hs256('null'), code: 'token_invalid', says: /signature|no claims/ },
  {
    what: 'a very long one',
    token: hs256({ ...good, x: 'x'.repeat(9_000) }),
    code: 'token_invalid',
    says: /longer than 8192/,
  },
  {
    what: 'alg none, unsigned',
    token: jwt.sign(good, '', { algorithm: 'none' }),
    code: 'token_invalid',
    says: /not signed/,
  },
  {
    what: 'alg None, unsigned',
    token: `${encoded({ alg: 'None' })}.${encoded(good)}.`,
    code: 'token_invalid',
    says: /not signed/,
  },
  { what: 'alg none with a signature', token: hs256(good, { alg: 'none' }), code: 'token_invalid', says: /not signed/ },
  {
    what: 'alg none for an RSA key',
    token: jwt.sign(good, '', { algorithm: 'none' }),
    keys: byRsa,
    code: 'token_invalid',
    says: /not signed/,
  },
  {
    what: 'HS256 without its signature',
    token: `${encoded({ alg: 'HS256' })}.${encoded(good)}.`,
    code: 'token_invalid',
    says: /signature/,
  },
  { what: 'another secret', token: hs256(good, undefined, 'another'), code: 'token_invalid', says: /signature/ },
  {
    what: 'another RSA key',
    token: rs256(good, otherRsa.privateKey),
    keys: byRsa,
    code: 'token_invalid',
    says: /signature/,
  },
  { what: 'a payload that was exchanged', token: exchanged(), code: 'token_invalid', says: /signature/ },
  {
    what: 'the public key as a secret',
    token: hs256(good, undefined, rsaPem),
    keys: byRsa,
    code: 'token_invalid',
    says: /another algorithm than RS256/,
  },
  {
    what: 'the public key as a secret, said to be RS256',
    token: hs256(good, { alg: 'RS256' }, rsaPem),
    keys: byRsa,
    code: 'token_invalid',
    says: /signature/,
  },
  {
    what: 'RS256 where there is a secret',
    token: rs256(good, rsa.privateKey),
    code: 'token_invalid',
    says: /another algorithm than HS256/,
  },
  {
    what: 'HS512 where HS256 is asked for',
    token: jwt.sign(good, SECRET, { algorithm: 'HS512' }),
    code: 'token_invalid',
    says: /another algorithm/,
  },
  {
    what: 'PS256 where RS256 is asked for',
    token: jwt.sign(good, rsa.privateKey, { algorithm: 'PS256' }),
    keys: byRsa,
    code: 'token_invalid',
    says: /another algorithm/,
  },
  { what: 'expired', token: hs256({ ...good, exp: NOW_S - 1 }), code: 'token_expired', says: /expired/ },
  { what: 'expired just now', token: hs256({ ...good, exp: NOW_S }), code: 'token_expired', says: /expired/ },
  { what: 'expired before 1970', token: hs256({ ...good, exp: -1 }), code: 'token_expired', says: /expired/ },
  {
    what: 'expired and wrongly signed',
    token: hs256({ ...good, exp: 1 }, undefined, 'another'),
    code: 'token_invalid',
    says: /signature/,
  },
  { what: 'endless', token: hs256({ sub: 'seller-1' }), code: 'token_without_expiry', says: /exp/ },
  ...['"soon"', `"${IN_AN_HOUR}"`, 'null', 'true', '[]', '1e400', '-1e400', '8640000000001', '1e300'].map((exp) => ({
    what: `exp ${exp}`,
    token: hs256(`{"sub":"seller-1","exp":${exp}}`),
    code: 'token_invalid' as const,
    says: /exp is not a time/,
  })),
  { what: 'exp NaN', token: hs256('{"sub":"seller-1","exp":NaN}'), code: 'token_invalid', says: /garbled/ },
  { what: 'an nbf to come', token: hs256({ ...good, nbf: NOW_S + 1 }), code: 'token_invalid', says: /not valid yet/ },
  {
    what: 'an nbf that is a text',
    token: hs256({ ...good, nbf: 'now' }),
    code: 'token_invalid',
    says: /nbf is not a time/,
  },
  {
    what: 'another audience',
    token: hs256({ ...good, iss: 'https://id.example/', aud: 'another' }),
    keys: aimed,
    code: 'token_invalid',
    says: /audience/,
  },
  {
    what: 'an audience that begins alike',
    token: hs256({ ...good, iss: 'https://id.example/', aud: 'tallylight2' }),
    keys: aimed,
    code: 'token_invalid',
    says: /audience/,
  },
  {
    what: 'no audience',
    token: hs256({ ...good, iss: 'https://id.example/' }),
    keys: aimed,
    code: 'token_invalid',
    says: /audience/,
  },
  {
    what: 'another issuer',
    token: hs256({ ...good, iss: 'https://id.example', aud: 'tallylight' }),
    keys: aimed,
    code: 'token_invalid',
    says: /issuer/,
  },
  {
    what: 'no issuer',
    token: hs256({ ...good, aud: 'tallylight' }),
    keys: aimed,
    code: 'token_invalid',
    says: /issuer/,
  },
  {
    what: 'a list of issuers',
    token: hs256({ ...good, iss: ['https://id.example/'], aud: 'tallylight' }),
    keys: aimed,
    code: 'token_invalid',
    says: /issuer/,
  },
  ...['admin', 'Seller', '', null, ['seller'], 'constructor'].map((role) => ({
    what: `role ${JSON.stringify(role)}`,
    token: hs256({ ...good, role }),
    code: 'token_invalid' as const,
    says: /role is none of seller, service, operator/,
  })),
  ...[undefined, null, 7, ['seller-1'], {}].map((sub) => ({
    what: `sub ${JSON.stringify(sub)}`,
    token: hs256({ ...good, sub }),
    code: 'token_invalid' as const,
    says: /no sub/,
  })),
  ...['', 'a b', 'a\n', 'a\nb', 'a\0', 'x'.repeat(129), 'ä', 'a/b', '../a', 'a%2F', '<a>'].map((sub) => ({
    what: `sub ${JSON.stringify(sub.slice(0, 20))} (${sub.length})`,
    token: hs256({ ...good, sub }),
    code: 'token_invalid' as const,
    says: /sub is not 1 to 128 characters/,
  })),
]

for (const { what, token, keys = bySecret, code, says } of refused) {
  test(`P2: refused: ${what}`, async () => {
    const { tokens } = setUp(keys)
    for (const time of ['first', 'second']) {
      const error = await refusal(() => tokens.verify(token))
      assert.is(error.code, code, `${time}: ${error.message}`)
      assert.match(error.message, says)
      // Nothing of the token is in the error, nor in what a log would print of it.
      const printed = `${error.stack} ${JSON.stringify(error)} ${String(error.cause ?? '')}`
      for (const part of token.split('.').filter((part) => part.length > 8)) assert.not.ok(printed.includes(part))
      assert.not.ok(printed.includes('seller-1'))
    }
  })
}

test('P2: a remembered token expires by the wall clock, at its instant', async () => {
  const { tokens, clock } = setUp(bySecret)
  const token = hs256(good)
  await tokens.verify(token)
  clock.set(IN_AN_HOUR * 1_000 - 1)
  assert.is((await tokens.verify(token)).sub, 'seller-1')
  clock.advance(1)
  assert.is((await refusal(() => tokens.verify(token))).code, 'token_expired')
  assert.is((await refusal(() => tokens.verify(token))).code, 'token_expired')
})

test('P2: a wall clock that was set back makes a token good again, though the program’s time stands still', async () => {
  const { tokens, clock } = setUp(bySecret)
  const token = hs256(good)
  clock.advance(2 * 3_600_000)
  assert.is((await refusal(() => tokens.verify(token))).code, 'token_expired')
  clock.advance(-2 * 3_600_000)
  assert.is((await tokens.verify(token)).sub, 'seller-1')
})

test('P2: what is remembered is the same object, cannot be changed, and is bounded', async () => {
  const { tokens } = setUp(bySecret)
  const first = hs256({ ...good, n: -1 })
  const second = hs256({ ...good, n: -2 })
  const [one, two] = [await tokens.verify(first), await tokens.verify(second)]
  assert.is(await tokens.verify(first), one)
  assert.ok(Object.isFrozen(one))
  // Ten thousand in all: the one that was used the longest ago goes first.
  for (let n = 0; n < 9_998; n++) await tokens.verify(hs256({ ...good, n }))
  assert.is(await tokens.verify(first), one)
  await tokens.verify(hs256({ ...good, n: 9_998 }))
  assert.is(await tokens.verify(first), one)
  assert.is.not(await tokens.verify(second), two)
})

for (const keys of [bySecret, aimed, { ...bySecret, algorithms: ['HS512'] } satisfies TokenKeys]) {
  test(`P2: what is signed is verified: ${keys.algorithms.join()} ${keys.issuer ?? 'for anyone'}`, async () => {
    const { tokens } = setUp(keys)
    const token = tokens.sign({ sub: 'op-1', role: 'operator', ttlMs: 90_000 })
    assert.equal(await tokens.verify(token), { sub: 'op-1', role: 'operator', expiresAt: NOW + 90_000 })
  })
}

test('P2: a time to live is rounded up to a second', async () => {
  const { tokens } = setUp(bySecret)
  const { expiresAt } = await tokens.verify(tokens.sign({ sub: 'a', role: 'seller', ttlMs: 1 }))
  assert.is(expiresAt, NOW + 1_000)
})

test('C: only a secret signs', () => {
  const { tokens } = setUp(byRsa)
  assert.throws(
    () => tokens.sign({ sub: 'a', role: 'seller', ttlMs: 1_000 }),
    (error: unknown) => error instanceof SetupError && error.message === 'Signing a token needs JWT_SECRET',
  )
})

for (const wrong of [
  { sub: 'a b' },
  { sub: '' },
  { ttlMs: 0 },
  { ttlMs: -1 },
  { ttlMs: Number.NaN },
  { ttlMs: 1e300 },
]) {
  test(`C: nothing is signed that would not be verified: ${JSON.stringify(wrong)}`, () => {
    const { tokens } = setUp(bySecret)
    assert.throws(
      () => tokens.sign({ sub: 'a', role: 'seller', ttlMs: 1_000, ...wrong }),
      (error: unknown) => error instanceof SetupError,
    )
  })
}

const headers: { header: string | undefined; is: string | ErrorCode }[] = [
  { header: 'Bearer a.b.c', is: 'a.b.c' },
  { header: 'bearer a.b.c', is: 'a.b.c' },
  { header: 'BEARER   a.b.c  ', is: 'a.b.c' },
  { header: 'Token a.b.c', is: 'a.b.c' },
  { header: 'token a.b.c', is: 'a.b.c' },
  { header: undefined, is: 'token_missing' },
  { header: '', is: 'token_missing' },
  { header: '  ', is: 'token_missing' },
  { header: 'Bearer', is: 'token_missing' },
  { header: 'Token ', is: 'token_missing' },
  { header: 'Basic dTpw', is: 'token_invalid' },
  { header: 'a.b.c', is: 'token_invalid' },
  { header: 'Bearer a b', is: 'token_invalid' },
  { header: 'BearerX a', is: 'token_invalid' },
  { header: 'Bearer\ta', is: 'token_invalid' },
]

for (const { header, is } of headers) {
  test(`H3: ${JSON.stringify(header)} -> ${is}`, async () => {
    if (is === 'a.b.c') return assert.is(bearerToken(header), is)
    const error = await refusal(() => bearerToken(header))
    assert.is(error.code, is)
    assert.not.match(error.message, 'dTpw')
  })
}

const MINUTE = 60_000

function withProvider(
  title: string,
  handler: (it: Awaited<ReturnType<typeof keyProvider>> & ReturnType<typeof setUp>) => Promise<void>,
) {
  test(title, async () => {
    const fake = await keyProvider()
    try {
      await handler({ ...fake, ...setUp(fake.config) })
    } finally {
      await fake.close()
    }
  })
}

const signedBy = (key: KeyObject, kid?: string, exp = NOW_S + 86_400): string =>
  rs256({ sub: 'seller-1', exp }, key, kid ? { kid } : {})

withProvider(
  'C: keys are fetched once, and a rotated one is picked up',
  async ({ publish, requests, tokens, clock }) => {
    publish(jwk(rsa.privateKey, 'one'))
    await Promise.all([1, 2, 3].map((n) => tokens.verify(signedBy(rsa.privateKey, 'one', IN_AN_HOUR + n))))
    assert.is(requests(), 1)
    publish(jwk(rsa.privateKey, 'one'), jwk(otherRsa.privateKey, 'two'))
    clock.advance(5_000)
    assert.is((await tokens.verify(signedBy(otherRsa.privateKey, 'two'))).sub, 'seller-1')
    assert.is((await tokens.verify(signedBy(rsa.privateKey, 'one'))).sub, 'seller-1')
    assert.is(requests(), 2)
  },
)

withProvider('C: a key of another kid, or of none of the set, is refused', async ({ publish, tokens }) => {
  publish(
    jwk(rsa.privateKey, 'one'),
    jwk(otherRsa.privateKey, 'two'),
    jwk(generateKeyPairSync('ed25519').privateKey, 'ed'),
  )
  for (const token of [
    signedBy(rsa.privateKey, 'two'),
    signedBy(rsa.privateKey, 'ed'),
    signedBy(rsa.privateKey, 'three'),
    signedBy(rsa.privateKey),
  ]) {
    assert.is((await refusal(() => tokens.verify(token))).code, 'token_invalid')
  }
})

withProvider('C: an EC key, and a token without a kid where the set has one key', async ({ publish, tokens }) => {
  publish(jwk(ec.privateKey, 'one'))
  const token = jwt.sign({ sub: 'a', exp: IN_AN_HOUR }, ec.privateKey, { algorithm: 'ES256' })
  assert.is((await tokens.verify(token)).sub, 'a')
})

withProvider(
  'C: tokens that are garbled, unsigned or HS256 cause no request',
  async ({ publish, requests, tokens }) => {
    publish(jwk(rsa.privateKey, 'one'))
    for (const token of [
      'a.b.c',
      jwt.sign(good, '', { algorithm: 'none' }),
      hs256(good, { alg: 'HS256', kid: 'one' }, rsaPem),
    ]) {
      assert.is((await refusal(() => tokens.verify(token))).code, 'token_invalid')
    }
    assert.is(requests(), 0)
  },
)

withProvider(
  'C: made-up kids neither storm the provider nor lock anybody out',
  async ({ publish, requests, tokens, clock }) => {
    publish(jwk(rsa.privateKey, 'one'))
    await tokens.verify(signedBy(rsa.privateKey, 'one'))
    for (let second = 0; second < 60; second++) {
      clock.advance(1_000)
      for (let n = 0; n < 5; n++)
        assert.is(
          (await refusal(() => tokens.verify(signedBy(rsa.privateKey, `x${second}-${n}`)))).code,
          'token_invalid',
        )
    }
    assert.is(requests(), 13)
    clock.advance(11 * MINUTE)
    assert.is((await tokens.verify(signedBy(rsa.privateKey, 'one', IN_AN_HOUR + 1))).sub, 'seller-1')
  },
)

withProvider(
  'C: a withdrawn key is forgotten within 20 minutes, for remembered tokens too',
  async ({ publish, tokens, clock }) => {
    publish(jwk(rsa.privateKey, 'one'))
    const token = signedBy(rsa.privateKey, 'one')
    await tokens.verify(token)
    publish(jwk(otherRsa.privateKey, 'two'))
    clock.advance(10 * MINUTE)
    // This one has the set fetched behind its back; a kid that is not known waits for that.
    await tokens.verify(token)
    assert.is((await refusal(() => tokens.verify(signedBy(rsa.privateKey, 'three')))).code, 'token_invalid')
    clock.advance(10 * MINUTE)
    assert.is((await refusal(() => tokens.verify(token))).code, 'token_invalid')
  },
)

for (const code of [500, 404, 302]) {
  withProvider(
    `C: HTTP ${code} from the provider is not the client’s fault`,
    async ({ publish, answer, tokens, clock, config }) => {
      publish(jwk(rsa.privateKey, 'one'))
      answer(code)
      const error = await failure(() => tokens.verify(signedBy(rsa.privateKey, 'one')))
      assert.instance(error, KeysUnavailable)
      assert.is(error.message, `The keys at ${config.url} cannot be fetched`)
      // Also while no new attempt is made.
      assert.instance(await failure(() => tokens.verify(signedBy(rsa.privateKey, 'one'))), KeysUnavailable)
      answer(200)
      clock.advance(5_000)
      assert.is((await tokens.verify(signedBy(rsa.privateKey, 'one'))).sub, 'seller-1')
    },
  )
}

for (const published of [[], [{ kty: 'oct', k: 'AAAA', kid: 'one' }], ['text']]) {
  withProvider(
    `C: a set without usable keys is not the client’s fault: ${JSON.stringify(published)}`,
    async ({ publish, tokens }) => {
      publish(...(published as object[]))
      assert.instance(await failure(() => tokens.verify(signedBy(rsa.privateKey, 'one'))), KeysUnavailable)
    },
  )
}

withProvider(
  'C: while the provider is gone, its keys are used for an hour',
  async ({ publish, close, tokens, clock }) => {
    publish(jwk(rsa.privateKey, 'one'))
    const token = signedBy(rsa.privateKey, 'one')
    await tokens.verify(token)
    await close()
    clock.advance(59 * MINUTE)
    assert.is((await tokens.verify(token)).sub, 'seller-1')
    assert.is((await tokens.verify(signedBy(rsa.privateKey, 'one', IN_AN_HOUR + 1))).sub, 'seller-1')
    assert.instance(await failure(() => tokens.verify(signedBy(otherRsa.privateKey, 'two'))), KeysUnavailable)
    clock.advance(11 * MINUTE)
    assert.instance(await failure(() => tokens.verify(token)), KeysUnavailable)
  },
)

function setUp(keys: TokenKeys): { tokens: Tokens; clock: ReturnType<typeof handClock> } {
  const clock = handClock(NOW)
  return { tokens: createTokens(keys, clock), clock }
}

function exchanged(): string {
  const [header, , signature] = hs256(good).split('.')
  return `${header}.${encoded({ ...good, role: 'operator' })}.${signature}`
}

async function failure(work: () => unknown): Promise<Error> {
  try {
    await work()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('Nothing failed')
}

async function refusal(work: () => unknown): Promise<Refusal> {
  const error = await failure(work)
  if (error instanceof Refusal) return error
  throw error
}

test.run()
