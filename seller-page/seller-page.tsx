import { useEffect, useState } from 'preact/hooks'
import { isDevelopment, rememberedSeller, rememberSeller, type Session, signInAsDemoSeller } from './session.js'
import { SignIn } from './sign-in.js'
import { Studio } from './studio.js'

/** The page: who are you, and then the studio. */
export function SellerPage() {
  const [session, setSession] = useState<Session | null>(null)
  const [development, setDevelopment] = useState<boolean | null>(null)

  useEffect(() => {
    void (async () => {
      const inDevelopment = await isDevelopment().catch(() => false)
      const name = rememberedSeller()
      if (inDevelopment && name) await signInAsDemoSeller(name).then(setSession, () => rememberSeller(null))
      setDevelopment(inDevelopment)
    })()
  }, [])

  function signOut() {
    rememberSeller(null)
    setSession(null)
  }

  return (
    <>
      <header>
        <h1>
          <span class="lamp" aria-hidden="true" /> Tallylight
        </h1>
        {session && (
          <p class="who">
            {session.name}{' '}
            <button type="button" class="quiet" onClick={signOut}>
              Sign out
            </button>
          </p>
        )}
      </header>
      <main>
        {session ? (
          <Studio session={session} key={session.livestreamId} />
        ) : (
          development !== null && <SignIn development={development} onSignedIn={setSession} />
        )}
      </main>
    </>
  )
}
