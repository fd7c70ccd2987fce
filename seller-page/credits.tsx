import type { CreditMeter, MeterSnapshot } from '@tallylight/client'
import { useCountdown } from '@tallylight/client/react'
import { useState } from 'preact/hooks'

interface Props {
  readonly meter: CreditMeter
  readonly snapshot: MeterSnapshot
  readonly buyCredits: ((credits: number) => Promise<void>) | null
}

/** The balance, and how long it lasts. */
export function Credits({ meter, snapshot, buyCredits }: Props) {
  const [error, setError] = useState('')
  const { remaining_credits, next_deduction_at, credits_run_out_at, credits_consumed, policy } = snapshot
  const nextIn = useCountdown(next_deduction_at, meter)
  const runOutIn = useCountdown(credits_run_out_at, meter)
  const intervalSeconds = (policy?.deduction_interval_ms ?? 0) / 1000

  function buy(credits: number) {
    setError('')
    buyCredits?.(credits).catch((reason: unknown) =>
      setError(reason instanceof Error ? reason.message : String(reason)),
    )
  }

  return (
    <section class="card" aria-labelledby="credits">
      <h2 id="credits">Credits</h2>
      <p class="figure">
        <span data-testid="balance">{remaining_credits ?? '–'}</span> <small>left</small>
      </p>
      {nextIn !== null && (
        <>
          <progress
            max={intervalSeconds}
            value={Math.max(0, intervalSeconds - nextIn)}
            aria-label="The interval under way"
          />
          <dl>
            <dt>Next credit in</dt>
            <dd data-testid="next">{clockTime(nextIn)}</dd>
            <dt>Credits last for</dt>
            <dd data-testid="run-out">{clockTime(runOutIn ?? 0)}</dd>
            <dt>Used by this run</dt>
            <dd>{credits_consumed}</dd>
          </dl>
        </>
      )}
      {buyCredits && (
        <div class="actions">
          {[2, 10].map((credits) => (
            <button type="button" class="quiet" key={credits} onClick={() => buy(credits)}>
              Buy {credits} credits
            </button>
          ))}
        </div>
      )}
      {error && <p role="alert">{error}</p>}
    </section>
  )
}

/** Seconds as 1:02:03, or 2:03 where it is less than an hour. */
function clockTime(seconds: number): string {
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  const two = (part: number) => String(part).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}
