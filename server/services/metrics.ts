import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { END_REASONS } from '../../client-sdk/protocol/index.js'
import type { Outcome } from '../domain/outcome.js'

export interface Metrics {
  readonly contentType: string
  /** Prometheus text. */
  text(): Promise<string>
  /** Counts what was done to a seller. */
  observe(outcome: Outcome): void
  /** Counts heartbeats that were recorded. */
  heartbeats(count: number): void
}

export interface MetricsParts {
  readonly liveRuns: () => Promise<number>
  readonly sockets: () => number
}

/** The numbers that operators watch. Counters are this process's, since its start. */
export function createMetrics({ liveRuns, sockets }: MetricsParts): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const credits = new Counter({
    name: 'tallylight_credits_total',
    help: 'Credits moved, by the kind of ledger entry',
    labelNames: ['kind'],
    registers,
  })
  const ends = new Counter({
    name: 'tallylight_streams_ended_total',
    help: 'Runs ended, by reason',
    labelNames: ['reason'],
    registers,
  })
  const starts = new Counter({ name: 'tallylight_streams_started_total', help: 'Runs started', registers })
  const warnings = new Counter({
    name: 'tallylight_warnings_total',
    help: 'Warnings given, by kind',
    labelNames: ['kind'],
    registers,
  })
  const heartbeats = new Counter({ name: 'tallylight_heartbeats_total', help: 'Heartbeats recorded', registers })
  new Gauge({
    name: 'tallylight_live_runs',
    help: 'Runs that are live now, in the whole database',
    registers,
    async collect() {
      this.set(await liveRuns())
    },
  })
  new Gauge({
    name: 'tallylight_sockets',
    help: 'Sockets that sellers hold on this server',
    registers,
    collect() {
      this.set(sockets())
    },
  })
  for (const reason of END_REASONS) ends.inc({ reason }, 0)

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    heartbeats: (count) => heartbeats.inc(count),
    observe({ events }) {
      for (const { kind, payload } of events) {
        if (kind === 'stream_started') starts.inc()
        else if (kind === 'credit_update') credits.inc({ kind: payload.kind }, Math.abs(payload.change))
        else if (kind === 'stream_ended') ends.inc({ reason: payload.reason })
        else if (kind !== 'inactivity_cleared') warnings.inc({ kind })
      }
    },
  }
}
