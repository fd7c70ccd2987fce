import type { CreditMeter, MeterSnapshot } from '@tallylight/client'
import { useCountdown } from '@tallylight/client/react'
import { count } from './words.js'

/** What the seller should not miss: silence, low credits, a lost connection, the end. */
export function Notices({ meter, snapshot }: { readonly meter: CreditMeter; readonly snapshot: MeterSnapshot }) {
  const { state, end, error, stale_since, run, low_credits, final_interval, inactivity_warned } = snapshot
  const silentFor = useCountdown(snapshot.inactivity_ends_at, meter)
  const isLive = run?.status === 'live'

  return (
    <div class="wide notices" role="status">
      {end && (
        <div class="notice ended" data-testid="end">
          <p>
            <strong>{end.message}.</strong> The run took {count(end.credits_consumed, 'credit')} and{' '}
            {count(end.duration_minutes, 'minute')}.
          </p>
        </div>
      )}
      {isLive && inactivity_warned && (
        <div class="notice" data-testid="silence">
          <p>
            <strong>Are you still there?</strong> The stream ends unless you show a sign of life within{' '}
            <span role="timer">{count(silentFor ?? 0, 'second')}</span>.
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
              <strong>Only {count(snapshot.remaining_credits ?? 0, 'credit')} left.</strong>
            )}{' '}
            Buy more to go on.
          </p>
        </div>
      )}
      {stale_since && (
        <div class="notice" data-testid="stale">
          <p>
            <strong>Not connected since {new Date(stale_since).toLocaleTimeString()}.</strong> What you see may be out
            of date; the page goes on by itself once it is connected.
          </p>
        </div>
      )}
      {error && (error.terminal || state === 'connecting') && (
        <div class="notice ended" data-testid="error">
          <p>
            <strong>{error.message}.</strong> {error.hint}
          </p>
        </div>
      )}
    </div>
  )
}
