import { io } from 'socket.io-client'
import type { Ack, EventPayloads, LivestreamView } from '../client-sdk/protocol/index.js'
import { narrate } from './narrator.js'
import { type DemoServer, runCommand } from './server.js'

export interface Seller {
  readonly name: string
  readonly token: string
  start(): Promise<void>
  ping(): Promise<void>
  /** Resolves when the server has ended the stream. */
  readonly ended: Promise<void>
  leave(): void
}

/** How each event reads. */
const SENTENCES: { [K in keyof EventPayloads]: (payload: EventPayloads[K]) => string } = {
  stream_started: () => 'stream_started',
  credit_update: ({ kind, change, remaining_credits }) =>
    `credit_update       ${kind} ${change > 0 ? '+' : ''}${change}, ${remaining_credits} left`,
  low_credit_warning: ({ final, remaining_credits }) =>
    `low_credit_warning  ${final ? 'final interval: the stream ends after it' : `only ${remaining_credits} left`}`,
  inactivity_warning: ({ ends_at }) =>
    `inactivity_warning  no sign of life; the stream ends at ${ends_at.slice(11, 19)}`,
  inactivity_cleared: () => 'inactivity_cleared  welcome back',
  stream_ended: ({ message, credits_consumed }) => `stream_ended        ${message} (${credits_consumed} credits)`,
}

/** Gives a seller credits and a livestream, connects a socket, and narrates what it is told. */
export async function joinAs(
  { url, env }: DemoServer,
  name: string,
  { credits, pingsEverySecond }: { credits: number; pingsEverySecond: boolean },
): Promise<Seller> {
  const token = (await runCommand(['token', '--seller', name], env)).trim()
  await runCommand(['grant', '--seller', name, '--credits', String(credits), '--key', `demo-${name}`], env)
  const response = await fetch(`${url}/api/livestreams/`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ title: `The stream of ${name}` }),
  })
  const livestream_id = ((await response.json()) as LivestreamView).id

  const socket = io(url, { auth: { token } })
  const ask = async (event: string): Promise<void> => {
    const answer = (await socket.emitWithAck(event, { livestream_id })) as Ack<object>
    if (!answer.ok) throw new Error(`${event}: ${answer.error}`)
  }
  for (const [kind, sentence] of Object.entries(SENTENCES)) {
    socket.on(kind, (payload) => narrate.say(name, (sentence as (payload: object) => string)(payload)))
  }
  let pinging: NodeJS.Timeout | undefined
  const ended = new Promise<void>((resolve) => {
    socket.on('stream_ended', () => {
      clearInterval(pinging)
      resolve()
    })
  })
  await ask('subscribe')
  return {
    name,
    token,
    ended,
    async start() {
      await ask('start')
      if (pingsEverySecond) pinging = setInterval(() => socket.emit('ping', { livestream_id }), 1_000)
    },
    ping: () => ask('ping'),
    leave: () => {
      socket.disconnect()
    },
  }
}
