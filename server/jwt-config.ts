import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'

const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const
const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const
const EC_ALGORITHMS = ['ES256', 'ES384', 'ES512'] as const
const ALGORITHMS = [...SECRET_ALGORITHMS, ...RSA_ALGORITHMS, ...EC_ALGORITHMS] as const

/** How a token may be signed: what jsonwebtoken knows, without `none`. */
export type Algorithm = (typeof ALGORITHMS)[number]

type Algorithms = readonly [Algorithm, ...Algorithm[]]

interface TokenRules {
  /** At least one. Never a secret's algorithm beside a public key, so that no public key is ever used as a secret. */
  readonly algorithms: Algorithms
  /** What a token's `iss` must be; null: it is not looked at. */
  readonly issuer: string | null
  /** What a token's `aud` must be or hold, exactly; null: it is not looked at. */
  readonly audience: string | null
}

/** How tokens are verified. Keys are key objects, which show nothing of themselves when printed. */
export type TokenKeys = TokenRules &
  (
    | { readonly kind: 'secret'; readonly key: KeyObject }
    | { readonly kind: 'public_key'; readonly key: KeyObject }
    | { readonly kind: 'jwks'; readonly url: string }
  )

/** The same as configured: `dev_secret` stands for the secret that is kept beside the database (dev-secret.ts). */
export type JwtConfig = TokenKeys | (TokenRules & { readonly kind: 'dev_secret' })

/** `usable`: what fits the key, its own default first. */
type KeySource = { usable: Algorithms } & (
  | { kind: 'secret' | 'public_key'; key: KeyObject }
  | { kind: 'jwks'; url: string }
  | { kind: 'dev_secret' }
)

type JwtVariable = 'JWT_SECRET' | 'JWT_PUBLIC_KEY' | 'JWT_JWKS_URL' | 'JWT_ALGORITHMS'
type Report = (variable: JwtVariable, message: string) => null

const NOT_A_PUBLIC_KEY =
  'is not a PEM public key, which begins with -----BEGIN PUBLIC KEY----- (line ends may be written \\n)'
const NOT_A_JWKS_URL = 'must be an https:// URL (http:// only on this machine, such as http://localhost:8080/jwks.json)'

const SHORTEST_SECRET_BYTES = 32
const SHORTEST_RSA_BITS = 2048
const CURVES: Record<string, Algorithm> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }

/**
 * Reads the `JWT_` variables (SPEC.md, C). An unset variable is `undefined`. Faults are named by variable, never show a
 * value of a key, and say what would be right.
 *
 * @param production whether a key is required, and a short secret refused
 */
export function jwtSettings(production: boolean) {
  return z
    .object({
      JWT_SECRET: z.string().optional(),
      JWT_PUBLIC_KEY: z.string().optional(),
      JWT_JWKS_URL: z.string().optional(),
      JWT_ALGORITHMS: z.string().optional(),
      JWT_ISSUER: z.string().optional(),
      JWT_AUDIENCE: z.string().optional(),
    })
    .transform((settings, ctx): JwtConfig => {
      const report: Report = (variable, message) => {
        ctx.addIssue({ code: 'custom', path: [variable], message })
        return null
      }
      const source = readSource(settings, production, report)
      const algorithms = readAlgorithms(settings.JWT_ALGORITHMS, source, report)
      if (!source || !algorithms) return z.NEVER
      const { usable: _, ...key } = source
      const issuer = settings.JWT_ISSUER ?? null
      const audience = settings.JWT_AUDIENCE ?? null
      return Object.freeze({ ...key, algorithms, issuer, audience })
    })
}

interface KeyVariables {
  JWT_SECRET?: string | undefined
  JWT_PUBLIC_KEY?: string | undefined
  JWT_JWKS_URL?: string | undefined
}

function readSource(settings: KeyVariables, production: boolean, report: Report): KeySource | null {
  const { JWT_SECRET: secret, JWT_PUBLIC_KEY: pem, JWT_JWKS_URL: url } = settings
  const given = (['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'] as const).filter(
    (name) => settings[name] !== undefined,
  )
  const [first, ...others] = given
  if (first && others.length > 0) return report(first, `stands beside ${others.join(' and ')}; give only one of them`)
  if (secret !== undefined) return readSecret(secret, production, report)
  if (pem !== undefined) return readPublicKey(pem, report)
  if (url !== undefined) return readJwksUrl(url, report)
  if (!production) return { kind: 'dev_secret', usable: SECRET_ALGORITHMS }
  return report('JWT_SECRET', 'with NODE_ENV=production one of JWT_SECRET, JWT_PUBLIC_KEY and JWT_JWKS_URL is required')
}

function readSecret(secret: string, production: boolean, report: Report): KeySource | null {
  // A public key used as a secret would let anybody sign.
  if (secret.includes('-----BEGIN')) return report('JWT_SECRET', 'holds a PEM key; that belongs in JWT_PUBLIC_KEY')
  const bytes = Buffer.from(secret)
  if (production && bytes.length < SHORTEST_SECRET_BYTES) {
    const advice = 'such as what `openssl rand -hex 32` prints'
    return report('JWT_SECRET', `is shorter than ${SHORTEST_SECRET_BYTES} bytes; take a random one, ${advice}`)
  }
  return { kind: 'secret', key: createSecretKey(bytes), usable: SECRET_ALGORITHMS }
}

function readPublicKey(text: string, report: Report): KeySource | null {
  const pem = text.replaceAll('\\n', '\n')
  if (pem.includes('PRIVATE KEY-----')) return report('JWT_PUBLIC_KEY', 'holds a private key; give its public key only')
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch {
    return report('JWT_PUBLIC_KEY', NOT_A_PUBLIC_KEY)
  }
  const usable = algorithmsOf(key)
  if (typeof usable === 'string') return report('JWT_PUBLIC_KEY', usable)
  return { kind: 'public_key', key, usable }
}

/** The algorithms that fit a public key, the default first; or what is wrong with it. Ed25519 is beyond jsonwebtoken. */
function algorithmsOf(key: KeyObject): Algorithms | string {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType === 'rsa') {
    if (modulusLength >= SHORTEST_RSA_BITS) return RSA_ALGORITHMS
    return `is an RSA key of ${modulusLength} bits; it needs at least ${SHORTEST_RSA_BITS}`
  }
  const curve = key.asymmetricKeyType === 'ec' ? CURVES[namedCurve] : undefined
  if (curve) return [curve]
  return `is of a kind that is not supported (${namedCurve || key.asymmetricKeyType}); use RSA, P-256, P-384 or P-521`
}

function readJwksUrl(text: string, report: Report): KeySource | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)))) {
    return report('JWT_JWKS_URL', NOT_A_JWKS_URL)
  }
  if (url.username || url.password) return report('JWT_JWKS_URL', 'must not hold a user name or password')
  return { kind: 'jwks', url: url.href, usable: [...RSA_ALGORITHMS, ...EC_ALGORITHMS] }
}

/** URL parsing has already turned every way to write an IPv4 address into the dotted one. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

function readAlgorithms(text: string | undefined, source: KeySource | null, report: Report): Algorithms | null {
  if (text === undefined) return source && defaultAlgorithms(source)
  const names = new Set(text.split(',').map((name) => name.trim()))
  const usable: readonly Algorithm[] = source?.usable ?? ALGORITHMS
  const [first, ...rest] = usable.filter((name) => names.has(name))
  if (first && rest.length + 1 === names.size) return Object.freeze([first, ...rest] as const)
  return report('JWT_ALGORITHMS', `must be a comma-separated list of what fits the key: ${usable.join(', ')}`)
}

function defaultAlgorithms({ kind, usable }: KeySource): Algorithms {
  return Object.freeze(kind === 'jwks' ? (['RS256', 'ES256'] as const) : ([usable[0]] as const))
}
