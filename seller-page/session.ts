// Who is signed in. In development the server lets anybody in, with a livestream of their own; elsewhere the page takes a
// token and a livestream id, as the host application made them.

export interface Session {
  readonly name: string
  readonly livestreamId: string
  readonly getToken: () => Promise<string>
  /** Null outside development, where credits come from the host application. */
  readonly buyCredits: ((credits: number) => Promise<void>) | null
}

interface DevelopmentSession {
  token: string
  livestream_id: string
}

/** Whether the server is a newcomer's own, where anybody may sign in. */
export async function isDevelopment(): Promise<boolean> {
  const response = await fetch('dev/')
  return response.ok && (response.headers.get('content-type')?.includes('json') ?? false)
}

/** Signs in as a demo seller; the livestream is made at the first time. */
export async function signInAsDemoSeller(name: string): Promise<Session> {
  const openSession = () => post<DevelopmentSession>('dev/session', { seller_id: name })
  const first = await openSession()
  rememberSeller(name)
  return {
    name,
    livestreamId: first.livestream_id,
    getToken: async () => (await openSession()).token,
    async buyCredits(credits) {
      const { token } = await openSession()
      await post(
        'dev/credits',
        { credits },
        { authorization: `Bearer ${token}`, 'idempotency-key': crypto.randomUUID() },
      )
    },
  }
}

/** The demo seller that the address names (`/#ann`): a reload stays signed in, and two tabs can be two sellers. */
export function rememberedSeller(): string {
  return decodeURIComponent(location.hash.slice(1))
}

export function rememberSeller(name: string | null): void {
  history.replaceState(null, '', name === null ? location.pathname : `#${encodeURIComponent(name)}`)
}

export function signInWithToken(token: string, livestreamId: string): Session {
  return { name: 'you', livestreamId, getToken: async () => token, buyCredits: null }
}

async function post<T>(path: string, body: object, headers: Record<string, string> = {}): Promise<T> {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  const answer = (await response.json()) as T & { error?: string }
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}`)
  return answer
}
