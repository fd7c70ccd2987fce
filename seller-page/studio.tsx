import type { CreditMeterOptions } from '@tallylight/client'
import { useCreditMeter } from '@tallylight/client/react'
import { useState } from 'preact/hooks'
import { Credits } from './credits.js'
import { Notices } from './notices.js'
import type { Session } from './session.js'
import { Stage } from './stage.js'
import { Timeline } from './timeline.js'

/** Everything about one livestream: what it costs, how long it lasts, and what happened. */
export function Studio({ session }: { readonly session: Session }) {
  const [options] = useState<CreditMeterOptions>(() => ({
    url: location.origin,
    livestreamId: session.livestreamId,
    getToken: session.getToken,
  }))
  const { meter, snapshot } = useCreditMeter(options)

  return (
    <div class="studio">
      <Notices meter={meter} snapshot={snapshot} />
      <Stage meter={meter} snapshot={snapshot} development={session.buyCredits !== null} />
      <Credits meter={meter} snapshot={snapshot} buyCredits={session.buyCredits} />
      <Timeline meter={meter} snapshot={snapshot} />
    </div>
  )
}
