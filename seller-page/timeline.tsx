import { type CreditMeter, EVENT_KINDS, type EventPayloads, type MeterSnapshot } from '@tallylight/client'
import { useEffect, useState } from 'preact/hooks'

/** What each event means to a seller. */
const SENTENCES: { [K in keyof EventPayloads]: (payload: EventPayloads[K]) => string } = {
  stream_started: () => 'You went live',
  credit_update: ({ kind, change, remaining_credits }) => {
    const moved = `${change > 0 ? '+' : '−'}${Math.abs(change)}`
    const names = {
      grant: 'Credits bought',
      deduction: 'A credit for the next interval',
      refund: 'A credit given back',
      adjustment: 'Credits adjusted',
    }
    return `${names[kind]}: ${moved}, ${remaining_credits} left`
  },
  low_credit_warning: ({ final, remaining_credits }) =>
    final ? 'Warning: this is the last interval' : `Warning: only ${remaining_credits} left`,
  inactivity_warning: ({ ends_at }) =>
    `Warning: no sign of life; the stream ends at ${new Date(ends_at).toLocaleTimeString()}`,
  inactivity_cleared: () => 'You are back',
  stream_ended: ({ message }) => message,
}

interface Line {
  readonly seq: number
  readonly at: string
  readonly text: string
}

const LONGEST = 100

/** Everything that happened while the page was open, newest first. */
export function Timeline({ meter }: { readonly meter: CreditMeter; readonly snapshot: MeterSnapshot }) {
  const [lines, setLines] = useState<Line[]>([])
  useEffect(() => {
    const offs = EVENT_KINDS.map((kind) =>
      meter.on(kind, (payload: EventPayloads[typeof kind]) => {
        const text = (SENTENCES[kind] as (payload: object) => string)(payload)
        const line = { seq: payload.seq, at: payload.occurred_at, text }
        setLines((before) => [line, ...before].slice(0, LONGEST))
      }),
    )
    return () => {
      for (const off of offs) off()
    }
  }, [meter])

  return (
    <section class="card wide" aria-labelledby="timeline">
      <h2 id="timeline">What happened</h2>
      {lines.length === 0 && <p class="soft">Nothing yet. Buy credits and go live.</p>}
      <ol class="timeline" data-testid="timeline">
        {lines.map(({ seq, at, text }) => (
          <li key={seq}>
            <time dateTime={at}>{new Date(at).toLocaleTimeString()}</time>
            <span>{text}</span>
          </li>
        ))}
      </ol>
    </section>
  )
}
