import type { CreditMeter, MeterSnapshot } from '@tallylight/client'
import { useCountdown } from '@tallylight/client/react'
import { useAttempt } from './use-attempt.js'
import { clockTime, count } from './words.js'

interface Props {
  readonly meter: CreditMeter
  readonly snapshot: MeterSnapshot
  readonly buyCredits: ((credits: number) => Promise<void>) | null
}

/** The balance, and how long it lasts. */
export function Credits({ meter, snapshot, buyCredits }: Props) {
  const { attempt, error } = useAttempt()
  const { remaining_credits, next_deduction_at, credits_run_out_at, credits_consumed, policy } = snapshot
  const nextIn = useCountdown(next_deduction_at, meter)
  const runOutIn = useCountdown(credits_run_out_at, meter)
  const intervalSeconds = (policy?.deduction_interval_ms ?? 0) / 1000

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
            <dt>{snapshot.final_interval ? 'The stream ends in' : 'Next credit in'}</dt>
            <dd data-testid="next">{clockTime(nextIn)}</dd>
            <dt>Credits last for</dt>
            <dd data-testid="run-out">{clockTime(runOutIn ?? 0)}</dd>
            <dt>Used by this run</dt>
            <dd data-testid="used">{credits_consumed}</dd>
          </dl>
        </>
      )}
      {buyCredits && (
        <div class="actions">
          {[1, 10].map((credits) => (
            <button
              type="button"
              // What comes first is what a newcomer should press first.
              class={remaining_credits === 0 && nextIn === null && credits === 1 ? '' : 'quiet'}
              key={credits}
              onClick={() => void attempt(() => buyCredits(credits))}
            >
              Buy {count(credits, 'credit')}
            </button>
          ))}
        </div>
      )}
      {error && <p role="alert">{error}</p>}
    </section>
  )
}
