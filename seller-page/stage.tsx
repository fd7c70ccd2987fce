import type { CreditMeter, MeterSnapshot } from '@tallylight/client'
import { useState } from 'preact/hooks'

const SPEEDS = [
  { timeScale: 30, label: 'An hour in two minutes' },
  { timeScale: 1, label: 'Real time' },
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
  readonly development: boolean
}

/** Going live, staying, and ending. */
export function Stage({ meter, snapshot, development }: Props) {
  const [timeScale, setTimeScale] = useState(development ? 30 : 1)
  const [error, setError] = useState('')
  const { state, run, livestream } = snapshot
  const isLive = run?.status === 'live'
  const canStart = !isLive && (state === 'idle' || state === 'ended')

  function attempt(act: Promise<unknown>) {
    setError('')
    act.catch((reason: unknown) => setError(reason instanceof Error ? reason.message : String(reason)))
  }

  return (
    <section class="card" aria-labelledby="stage">
      <h2 id="stage">{livestream?.title ?? 'Your livestream'}</h2>
      <p>
        <span class={`badge${state === 'live' ? ' on' : ''}`} data-testid="state">
          {STATES[state]}
        </span>{' '}
        {snapshot.connection && <span class="soft">over {snapshot.connection}</span>}
      </p>
      {development && !isLive && (
        <fieldset>
          <legend>How fast time passes for this run</legend>
          {SPEEDS.map((speed) => (
            <label key={speed.timeScale}>
              <input
                type="radio"
                name="speed"
                checked={timeScale === speed.timeScale}
                onChange={() => setTimeScale(speed.timeScale)}
              />
              {speed.label}
            </label>
          ))}
        </fieldset>
      )}
      <div class="actions">
        {isLive ? (
          <>
            <button type="button" onClick={() => attempt(meter.end())}>
              End the stream
            </button>
            <button type="button" class="quiet" onClick={() => attempt(meter.ping())}>
              I am still here
            </button>
          </>
        ) : (
          <button
            type="button"
            disabled={!canStart}
            onClick={() => attempt(meter.start(timeScale === 1 ? {} : { timeScale }))}
          >
            Go live
          </button>
        )}
      </div>
      {error && <p role="alert">{error}</p>}
    </section>
  )
}
