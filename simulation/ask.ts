import type { EndReason } from '../client-sdk/protocol/index.js'
import { Refusal } from '../server/domain/errors.js'
import type { MoveAnswer } from '../server/services/credits.js'
import { recordHeartbeat } from '../test/support/record-heartbeat.js'
import type { Answer, Asked, Settings } from './facts.js'
import type { AtomicSellerAct } from './history.js'
import { identity, type Node } from './node.js'

// Asks a node what a seller or an operator would ask, and keeps of the answer what the rules say.

/** What is asked for a livestream; credits are moved by `askToMove`. */
export type StreamAct = Extract<AtomicSellerAct, { stream: number }>

const STRANGER = 'stranger'

/** The settings with their times divided, as SPEC.md (P3) says of `time_scale`. */
export function scaled(settings: Settings, timeScale: number): Settings {
  const part = (ms: number) => Math.floor(ms / timeScale)
  return {
    intervalMs: part(settings.intervalMs),
    warningMs: part(settings.warningMs),
    autoEndMs: part(settings.autoEndMs),
    lowCreditThreshold: settings.lowCreditThreshold,
    refundGraceMs: part(settings.refundGraceMs),
  }
}

/** What a node is asked by an act, in the words of the auditor. */
export function askedOf(node: Node, act: StreamAct, livestreamId: string): Asked {
  switch (act.kind) {
    case 'start':
      return { kind: 'start', livestreamId, settings: scaled(node.policy, act.timeScale) }
    case 'ping':
      return { kind: 'ping', livestreamId, by: act.by }
    case 'end':
      return { kind: 'end', livestreamId, by: act.by }
    case 'check':
      return { kind: 'check', livestreamId }
  }
}

/** @throws whatever is no Refusal */
export async function ask(node: Node, seller: string, act: StreamAct, livestreamId: string): Promise<Answer> {
  try {
    return await answered(node, seller, act, livestreamId)
  } catch (error) {
    return refused(error)
  }
}

async function answered(node: Node, seller: string, act: StreamAct, id: string): Promise<Answer> {
  const { livestreams, heartbeats } = node
  switch (act.kind) {
    case 'start': {
      const answer = await livestreams.start(id, identity(seller), act.timeScale)
      return {
        kind: 'started',
        runId: answer.run_id,
        balance: answer.remaining_credits,
        consumed: answer.credits_consumed,
        startedAt: Date.parse(answer.started_at),
        nextAt: Date.parse(answer.next_deduction_at),
        runsOutAt: Date.parse(answer.credits_run_out_at),
      }
    }
    case 'ping': {
      const answer = await recordHeartbeat(heartbeats, id, identity(act.by === 'stranger' ? STRANGER : seller))
      return {
        kind: 'heard',
        balance: answer.remaining_credits,
        consumed: answer.credits_consumed,
        lastActivityAt: Date.parse(answer.last_activity),
      }
    }
    case 'end': {
      const answer = await (act.by === 'operator'
        ? livestreams.forceEnd(id, identity('operator', 'operator'), 'simulated')
        : livestreams.end(id, identity(act.by === 'stranger' ? STRANGER : seller)))
      return {
        kind: 'ended',
        runId: answer.run_id,
        balance: answer.remaining_credits,
        consumed: answer.credits_consumed,
        minutes: answer.duration_minutes,
        reason: answer.end_reason,
      }
    }
    case 'check': {
      const answer = await livestreams.check(id, identity(seller))
      const { remaining_credits: balance, credits_consumed: consumed } = answer
      if (answer.livestream_ended) return { kind: 'over', balance, consumed, reason: answer.end_reason as EndReason }
      return {
        kind: 'live',
        balance,
        consumed,
        totalConsumed: answer.total_credits_consumed,
        minutesLeft: answer.time_until_next_deduction_minutes,
      }
    }
  }
}

/** @throws whatever is no Refusal */
export async function askToMove(move: Promise<MoveAnswer>): Promise<Answer> {
  try {
    const { created, entry, balance } = await move
    return {
      kind: 'moved',
      created,
      entry: entry.kind,
      amount: entry.amount,
      balanceAfter: balance,
      occurredAt: Date.parse(entry.occurred_at),
    }
  } catch (error) {
    return refused(error)
  }
}

function refused(error: unknown): Answer {
  if (!(error instanceof Refusal)) throw error
  const { code, details } = error
  return { kind: 'refused', code, runId: details.run_id ?? null, reason: details.end_reason ?? null }
}
