import { type CreditMeter, EVENT_KINDS, type EventPage, type MeterSnapshot, type SellerEvent } from '@tallylight/client'
import { useEffect, useReducer } from 'preact/hooks'

/** How many events are kept, and read when the page is opened. */
const LONGEST = 200

/**
 * The newest events of the seller, oldest first: what the meter tells from now on, and what there was before the page was
 * opened, which is read once over REST.
 */
export function useHistory(meter: CreditMeter, { seq }: MeterSnapshot, getToken: () => Promise<string>) {
  const [events, add] = useReducer(withMore, [])

  useEffect(() => {
    const offs = EVENT_KINDS.map((event) => meter.on(event, (payload) => add([{ event, ...payload } as SellerEvent])))
    return () => {
      for (const off of offs) off()
    }
  }, [meter])

  const isConnected = seq !== null
  useEffect(() => {
    if (!isConnected) return
    // Without it the page only begins its history now.
    readBefore(meter.snapshot.seq ?? 0, getToken).then(add, () => undefined)
  }, [meter, isConnected, getToken])

  return events
}

async function readBefore(seq: number, getToken: () => Promise<string>): Promise<readonly SellerEvent[]> {
  const response = await fetch(`api/events/?after=${Math.max(0, seq - LONGEST)}&limit=${LONGEST}`, {
    headers: { authorization: `Bearer ${await getToken()}` },
  })
  if (!response.ok) return []
  const { items } = (await response.json()) as EventPage
  return items
}

/** Each event once: the sequence says which is which. */
function withMore(known: readonly SellerEvent[], more: readonly SellerEvent[]): readonly SellerEvent[] {
  const bySeq = new Map([...known, ...more].map((event) => [event.seq, event]))
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq).slice(-LONGEST)
}
