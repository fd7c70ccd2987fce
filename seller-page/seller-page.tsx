import { useEffect, useState } from 'preact/hooks'
import { isDevelopment, type Session } from './session.js'
import { SignIn } from './sign-in.js'
import { Studio } from './studio.js'

/** The page: who are you, and then the studio. */
export function SellerPage() {
  const [session, setSession] = useState<Session | null>(null)
  const [development, setDevelopment] = useState<boolean | null>(null)
  useEffect(() => {
    isDevelopment().then(setDevelopment, () => setDevelopment(false))
  }, [])

  return (
    <>
      <header>
        <h1>
          <span class="lamp" aria-hidden="true" /> Tallylight
        </h1>
        {session && (
          <p class="who">
            {session.name}{' '}
            <button type="button" class="quiet" onClick={() => setSession(null)}>
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
