import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type BenchServer, startEcho, startTallylight } from './servers.js'

// Heartbeats a second over 500 sockets, each with one under way, against a bare Socket.IO acknowledgement echo on the same
// machine: both servers up, measured in turn by the same client process, so that only the ratio is worth reading.
//   npm run bench:heartbeat [-- SECONDS ROUNDS]

const SOCKETS = 500
const [seconds = 4, rounds = 3] = process.argv.slice(2).map(Number)

interface Measured {
  readonly perSecond: number
  readonly medianMs: number
  readonly p99Ms: number
}

async function measure(server: BenchServer): Promise<Measured> {
  const client = fork(fileURLToPath(new URL('./heartbeat-client.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
  })
  client.send({ url: server.url, sellers: server.sellers, seconds })
  const [measured] = (await once(client, 'message')) as [Measured]
  await once(client, 'exit')
  return measured
}

const median = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

const echo = await startEcho(SOCKETS)
const tallylight = await startTallylight(SOCKETS)
try {
  const ratios: number[] = []
  for (let round = 1; round <= rounds; round += 1) {
    const bare = await measure(echo)
    const metered = await measure(tallylight)
    const ratio = metered.perSecond / bare.perSecond
    ratios.push(ratio)
    for (const [name, { perSecond, medianMs, p99Ms }] of Object.entries({ echo: bare, heartbeat: metered })) {
      console.log(
        `round ${round}  ${name.padEnd(9)} ${Math.round(perSecond).toString().padStart(6)} a second, ` +
          `median ${medianMs.toFixed(1)} ms, 99 % within ${p99Ms.toFixed(1)} ms`,
      )
    }
    console.log(`round ${round}  ratio     ${ratio.toFixed(2)}`)
  }
  console.log(`\nmedian ratio to the echo: ${median(ratios).toFixed(2)} (target: at least 0.70, synchronous=FULL)`)
} finally {
  await Promise.all([echo.stop(), tallylight.stop()])
}
