import type { CreditMeter, CreditMeterOptions, MeterSnapshot } from '@tallylight/client'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Choice, type Option } from './choice.js'
import { useAttempt } from './use-attempt.js'

const SPEEDS: Option<number>[] = [
  { value: 30, label: 'An hour in two minutes' },
  { value: 1, label: 'Real time' },
]

export type Activity = NonNullable<CreditMeterOptions['activity']>

const ACTIVITIES: Option<Activity>[] = [
  { value: 'page', label: 'This page is open' },
  { value: 'interaction', label: 'I move, type or press something here' },
]

const STATES: Record<MeterSnapshot['state'], string> = {
  idle: 'not live',
  connecting: 'connecting …',
  live: 'live',
  reconnecting: 'connection lost, trying again …',
  ended: 'ended',
  unauthorized: 'not allowed',
}

interface Props {
  readonly meter: CreditMeter
  readonly snapshot: MeterSnapshot
  readonly activity: Activity
  readonly setActivity: (activity: Activity) => void
  readonly development: boolean
}

/** Going live, staying, and ending. */
export function Stage({ meter, snapshot, activity, setActivity, development }: Props) {
  const [timeScale, setTimeScale] = useState(development ? 30 : 1)
  // Each by itself: who ends the stream does not wait for the answer to the start.
  const [starting, ending, pinging] = [useAttempt(), useAttempt(), useAttempt()]
  const error = starting.error || ending.error || pinging.error
  const section = useRef<HTMLElement>(null)
  const { state, run, livestream, remaining_credits } = snapshot
  const isLive = run?.status === 'live'
  const canStart = state === 'idle' || state === 'ended'

  const liveNow = snapshot.seq === null ? null : isLive
  const liveBefore = useRef(liveNow)
  useEffect(() => {
    // The button that had the focus is gone: whoever uses the keyboard goes on from here.
    const isSwitched = liveBefore.current !== null && liveBefore.current !== liveNow
    if (isSwitched && document.activeElement === document.body) section.current?.focus()
    liveBefore.current = liveNow
  })

  return (
    <section class="card" aria-labelledby="stage" tabIndex={-1} ref={section}>
      <h2 id="stage">{livestream?.title ?? 'Your livestream'}</h2>
      <p>
        <span class={`badge${state === 'live' ? ' on' : ''}`} data-testid="state">
          {STATES[state]}
        </span>{' '}
        {snapshot.connection && <span class="soft">over {snapshot.connection}</span>}
      </p>
      {isLive ? (
        <div class="actions" key="live">
          <button type="button" onClick={() => void pinging.attempt(meter.ping)}>
            I am still here
          </button>
          <button type="button" class="quiet" onClick={() => void ending.attempt(meter.end)}>
            End the stream
          </button>
        </div>
      ) : (
        <div key="not-live">
          <div class="actions">
            <button
              type="button"
              class={remaining_credits === 0 ? 'quiet' : ''}
              disabled={!canStart}
              onClick={() => void starting.attempt(() => meter.start(timeScale === 1 ? {} : { timeScale }))}
            >
              Go live
            </button>
          </div>
          {development && (
            <Choice legend="How fast time passes for this run" of={SPEEDS} chosen={timeScale} choose={setTimeScale} />
          )}
          <Choice legend="What counts as my being there" of={ACTIVITIES} chosen={activity} choose={setActivity} />
        </div>
      )}
      {error && <p role="alert">{error}</p>}
    </section>
  )
}
