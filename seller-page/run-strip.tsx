import type { CreditMeter, MeterSnapshot, SellerEvent } from '@tallylight/client'
import { useCountdown } from '@tallylight/client/react'

/** What an event looks like on the strip; null for what is no moment of a run. */
function markOf(event: SellerEvent): 'deduction' | 'warning' | null {
  if (event.event === 'credit_update') return event.kind === 'deduction' ? 'deduction' : null
  return event.event.endsWith('_warning') ? 'warning' : null
}

interface Props {
  readonly meter: CreditMeter
  readonly snapshot: MeterSnapshot
  readonly history: readonly SellerEvent[]
}

/** The current or last run drawn from its start to its end, or to where its credits last. */
export function RunStrip({ meter, snapshot, history }: Props) {
  const { run, credits_run_out_at, next_deduction_at } = snapshot
  // Draws anew each second.
  useCountdown(credits_run_out_at, meter)
  if (!run) return null

  const endsAt = run.ended_at ?? credits_run_out_at ?? run.started_at
  const [from, to] = [Date.parse(run.started_at), Date.parse(endsAt)]
  const place = (at: number) => `${to > from ? Math.min(100, Math.max(0, ((at - from) / (to - from)) * 100)) : 100}%`
  const placeOf = (instant: string) => place(Date.parse(instant))
  const time = (instant: string) => new Date(instant).toLocaleTimeString()

  const marks = history
    .filter(({ run_id }) => run_id === run.run_id)
    .map((event) => ({ seq: event.seq, at: event.occurred_at, mark: markOf(event) }))
    .filter(({ mark }) => mark !== null)
  const count = (what: string) => marks.filter(({ mark }) => mark === what).length
  const passed = run.ended_at ? '100%' : place(meter.serverNow())
  const end = run.ended_at ? `ended ${time(endsAt)}` : `lasts until ${time(endsAt)}`

  return (
    <section class="card wide" aria-labelledby="run">
      <h2 id="run">{run.ended_at ? 'The last run' : 'This run'}</h2>
      <div
        class={`strip${run.ended_at ? ' over' : ''}`}
        role="img"
        aria-label={`From ${time(run.started_at)}, ${end}. Deductions: ${count('deduction')}, warnings: ${count('warning')}.`}
      >
        {next_deduction_at && <div class="paid" style={{ width: placeOf(next_deduction_at) }} />}
        <div class="passed" style={{ width: passed }} data-testid="passed" />
        {marks.map(({ seq, at, mark }) => (
          <span key={seq} class={`mark ${mark}`} style={{ left: placeOf(at) }} title={time(at)} />
        ))}
      </div>
      <p class="ends">
        <span>{time(run.started_at)}</span>
        <span>{end}</span>
      </p>
      <p class="legend soft">
        <span class="key deduction" /> a credit deducted <span class="key warning" /> a warning
      </p>
    </section>
  )
}
