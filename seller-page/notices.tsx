import type { CreditMeter, MeterSnapshot } from '@tallylight/client'
import { useCountdown } from '@tallylight/client/react'

/** What the seller should not miss: silence, low credits, a lost connection, the end. */
export function Notices({ meter, snapshot }: { readonly meter: CreditMeter; readonly snapshot: MeterSnapshot }) {
  const { end, error, stale_since, run, low_credits, final_interval, inactivity_warned, remaining_credits } = snapshot
  const silentFor = useCountdown(snapshot.inactivity_ends_at, meter)
  const isLive = run?.status === 'live'

  return (
    <div class="wide" role="status">
      {end && (
        <div class="notice ended" data-testid="end">
          <p>
            <strong>{end.message}.</strong> {end.credits_consumed} credits in {end.duration_minutes} minutes.
          </p>
        </div>
      )}
      {isLive && inactivity_warned && (
        <div class="notice" data-testid="silence">
          <p>
            <strong>Are you still there?</strong> The stream ends in {silentFor} seconds unless you show a sign of life.
          </p>
          <button type="button" onClick={() => void meter.ping().catch(() => undefined)}>
            I am here
          </button>
        </div>
      )}
      {isLive && low_credits && (
        <div class="notice" data-testid="low-credits">
          <p>
            {final_interval ? (
              <strong>Your last credit is running: the stream ends with it.</strong>
            ) : (
              <strong>
                Only {remaining_credits} {remaining_credits === 1 ? 'credit' : 'credits'} left.
              </strong>
            )}{' '}
            Buy more to go on.
          </p>
        </div>
      )}
      {stale_since && (
        <div class="notice" data-testid="stale">
          <p>Not connected since {new Date(stale_since).toLocaleTimeString()}. What you see may be out of date.</p>
        </div>
      )}
      {error?.terminal && (
        <div class="notice ended" data-testid="error">
          <p>
            <strong>{error.message}.</strong> {error.hint}
          </p>
        </div>
      )}
    </div>
  )
}
