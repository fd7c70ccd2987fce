import { useCreditMeter } from '@tallylight/client/react'
import { useEffect, useState } from 'preact/hooks'
import { Credits } from './credits.js'
import { useHistory } from './history.js'
import { Notices } from './notices.js'
import { RunStrip } from './run-strip.js'
import type { Session } from './session.js'
import { type Activity, Stage } from './stage.js'
import { Timeline } from './timeline.js'

/** Everything about one livestream: what it costs, how long it lasts, and what happened. */
export function Studio({ session }: { readonly session: Session }) {
  const { livestreamId, getToken, buyCredits } = session
  const [activity, setActivity] = useState<Activity>('page')
  const { meter, snapshot } = useCreditMeter({ livestreamId, getToken, activity })
  const history = useHistory(meter, snapshot, getToken)
  const isLive = snapshot.run?.status === 'live'

  useEffect(() => {
    document.title = isLive ? '● Live – Tallylight' : 'Tallylight'
    document.documentElement.classList.toggle('on-air', isLive)
  }, [isLive])

  return (
    <div class="studio">
      <Notices meter={meter} snapshot={snapshot} />
      <Stage {...{ meter, snapshot, activity, setActivity }} development={buyCredits !== null} />
      <Credits meter={meter} snapshot={snapshot} buyCredits={buyCredits} />
      <RunStrip meter={meter} snapshot={snapshot} history={history} />
      <Timeline history={history} />
    </div>
  )
}
