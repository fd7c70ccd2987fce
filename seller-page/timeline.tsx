import type { EventKind, EventPayloads, SellerEvent } from '@tallylight/client'

/** What each event means to a seller. */
const SENTENCES: { [K in EventKind]: (payload: EventPayloads[K]) => string } = {
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

function sentenceOf(event: SellerEvent): string {
  return (SENTENCES[event.event] as (payload: SellerEvent) => string)(event)
}

/** Everything that happened, newest first. */
export function Timeline({ history }: { readonly history: readonly SellerEvent[] }) {
  return (
    <section class="card wide" aria-labelledby="timeline">
      <h2 id="timeline">What happened</h2>
      {history.length === 0 && <p class="soft">Nothing yet. Get a credit and go live.</p>}
      <ol class="timeline" data-testid="timeline">
        {[...history].reverse().map((event) => (
          <li key={event.seq} class={event.event}>
            <time dateTime={event.occurred_at}>{new Date(event.occurred_at).toLocaleTimeString()}</time>
            <span>{sentenceOf(event)}</span>
          </li>
        ))}
      </ol>
    </section>
  )
}
