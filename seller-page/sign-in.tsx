import type { TargetedEvent } from 'preact'
import { type Session, signInAsDemoSeller, signInWithToken } from './session.js'
import { useAttempt } from './use-attempt.js'

interface Props {
  readonly development: boolean
  readonly onSignedIn: (session: Session) => void
}

export function SignIn({ development, onSignedIn }: Props) {
  const { attempt, error } = useAttempt()

  function submit(event: TargetedEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const field = (name: string) => String(form.get(name) ?? '').trim()
    void attempt(async () =>
      onSignedIn(
        development ? await signInAsDemoSeller(field('seller')) : signInWithToken(field('token'), field('livestream')),
      ),
    )
  }

  return (
    <form class="card sign-in" onSubmit={submit}>
      <h2>Sign in</h2>
      {development ? (
        <>
          <p>Be a demo seller: buy a credit, go live, and watch it being metered.</p>
          <label>
            Your name
            <input name="seller" value="demo-seller" required maxLength={128} pattern="[A-Za-z0-9_.@:\|+~\-]+" />
          </label>
        </>
      ) : (
        <>
          <p>This server is not in development. Use a seller's token and livestream, as your application made them.</p>
          <label>
            Token
            <input name="token" type="password" required autoComplete="off" />
          </label>
          <label>
            Livestream id
            <input name="livestream" required pattern="[A-Za-z0-9_\-]{1,128}" />
          </label>
        </>
      )}
      <button type="submit">Sign in</button>
      {error && <p role="alert">{error}</p>}
    </form>
  )
}
