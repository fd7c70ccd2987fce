import type { EndReason, EntryKind } from '../../client-sdk/protocol/index.js'
import type { Instant } from '../../server/domain/instant.js'
import type { Policy } from '../../server/domain/policy.js'
import { eachTick, type Fact } from './facts.js'
import { type Act, LOW_CREDIT_THRESHOLD } from './history.js'

// SPEC.md, told naively: tick by tick over all of time, knowing every outage beforehand, remembering everything, and
// sharing no code with the domain. What is compared with the world is in `Story`.

export interface Line {
  readonly kind: EntryKind
  readonly amount: number
  readonly balanceAfter: number
  readonly runId: number | null
  readonly interval: number | null
  readonly at: Instant
}

export interface Notice {
  readonly kind: 'low' | 'final' | 'warned' | 'cleared'
  readonly runId: number | null
  readonly at: Instant
}

export interface ToldRun {
  readonly id: number
  readonly livestreamId: string
  readonly startedAt: Instant
  readonly policy: Policy
  /** The index of the interval under way. */
  interval: number
  lastActivityAt: Instant
  silentSince: Instant
  warned: boolean
  finalTold: number | null
  end: { at: Instant; reason: EndReason } | null
}

export interface Story {
  balance: number
  readonly lines: Line[]
  readonly runs: ToldRun[]
  readonly refusals: string[]
  /** What somebody who looks at every tick is told; what is told to others is less (V4). */
  readonly notices: Notice[]
}

interface Gap {
  readonly began: Instant
  readonly ended: Instant
}

/** A5: a gap of more than 3 s in the stamps. */
function gapsBetween(stamps: readonly Instant[]): Gap[] {
  return stamps.flatMap((ended, index) => {
    const began = stamps[index - 1] ?? 0
    return ended - began > 3_000 ? [{ began, ended }] : []
  })
}

export function tell(facts: readonly Fact[]): Story {
  const story: Story = { balance: 0, lines: [], runs: [], refusals: [], notices: [] }
  const gaps = gapsBetween(facts.filter(({ stamped }) => stamped).map(({ at }) => at))
  eachTick(facts, (now, happening) => {
    for (const run of liveOf(story)) outageEnds(run, gaps, now)
    const deducted = liveOf(story).filter((run) => intervalOrEnd(story, run, gaps, now))
    if (deducted.length > 0) tellLow(story, deducted, now)
    for (const run of liveOf(story)) warn(story, run, now)
    for (const { act, waits } of happening) if (!waits) perform(story, act, now)
  })
  return story
}

function liveOf(story: Story): ToldRun[] {
  return story.runs.filter(({ end }) => end === null)
}

/** A5: an outage that begins before the deadline restarts the silence at its end. */
function outageEnds(run: ToldRun, gaps: readonly Gap[], now: Instant): void {
  for (const { began, ended } of gaps) {
    if (ended === now && began < run.silentSince + run.policy.autoEndMs && ended > run.silentSince) {
      run.silentSince = ended
      run.warned = false
    }
  }
}

/** @returns whether an interval was deducted now */
function intervalOrEnd(story: Story, run: ToldRun, gaps: readonly Gap[], now: Instant): boolean {
  const { intervalMs, autoEndMs } = run.policy
  const deadline = run.silentSince + autoEndMs
  const heldUp = gaps.some(({ began, ended }) => began < deadline && deadline <= ended && ended > run.silentSince)
  const inactive = now === deadline && !heldUp
  const begins = now > run.startedAt && (now - run.startedAt) % intervalMs === 0
  const waived = begins && gaps.some(({ began, ended }) => now > began + autoEndMs && now <= ended)
  if (begins && !waived && story.balance === 0) run.end = { at: now, reason: 'credits_exhausted' }
  else if (inactive) run.end = { at: now, reason: 'inactivity' }
  else if (begins) {
    run.interval += 1
    if (!waived) move(story, 'deduction', -1, run, now)
    return !waived
  }
  return false
}

function move(story: Story, kind: EntryKind, amount: number, run: ToldRun | null, at: Instant): void {
  story.balance += amount
  const interval = run?.interval ?? null
  story.lines.push({ kind, amount, balanceAfter: story.balance, runId: run?.id ?? null, interval, at })
}

/** A3. */
function warn(story: Story, run: ToldRun, now: Instant): void {
  if (now !== run.silentSince + run.policy.warningMs) return
  run.warned = true
  story.notices.push({ kind: 'warned', runId: run.id, at: now })
}

/** B9, after all that happened at one instant: a low balance to who was deducted, and final intervals to whom it concerns. */
function tellLow(story: Story, deducted: readonly ToldRun[], now: Instant): void {
  const finals = liveOf(story).filter((run) => isFinal(story, run) && run.finalTold !== run.interval)
  for (const run of finals) {
    run.finalTold = run.interval
    story.notices.push({ kind: 'final', runId: run.id, at: now })
  }
  for (const run of deducted) {
    const line = story.lines.findLast(({ runId }) => runId === run.id)
    if (finals.includes(run) || !line || line.balanceAfter > run.policy.lowCreditThreshold) continue
    story.notices.push({ kind: 'low', runId: run.id, at: now })
  }
}

const nextBegin = (run: { startedAt: Instant; policy: Policy; interval: number }) =>
  run.startedAt + (run.interval + 1) * run.policy.intervalMs

/** Plays on, with nothing granted and nobody ending, until the run begins another interval or cannot. */
function isFinal(story: Story, run: ToldRun): boolean {
  let balance = story.balance
  const others = liveOf(story).map(({ id, startedAt, policy, interval }) => ({ id, startedAt, policy, interval }))
  for (;;) {
    const next = others.reduce((a, b) => (nextBegin(b) < nextBegin(a) ? b : a))
    if (balance === 0) return true
    if (next.id === run.id) return false
    balance -= 1
    next.interval += 1
  }
}

function perform(story: Story, act: Act, now: Instant): void {
  const refusal = attempt(story, act, now)
  if (refusal) story.refusals.push(`${now} ${act.kind} ${refusal}`)
  else if (act.kind !== 'heartbeat' && act.kind !== 'stamp') tellLow(story, [], now)
}

/** @returns the code of a refusal, or null when it was done */
function attempt(story: Story, act: Act, now: Instant): string | null {
  if (act.kind === 'stamp') return null
  if (act.kind === 'credits') return moveCredits(story, act.amount, now)
  const ofLivestream = story.runs.filter(({ livestreamId }) => livestreamId === act.livestreamId)
  if (act.kind === 'refund') return refundNewest(story, ofLivestream, now)
  const run = ofLivestream.find(({ end }) => end === null)
  if (act.kind === 'start') return run ? 'livestream_already_live' : start(story, act.livestreamId, act.policy, now)
  if (!run) return 'livestream_not_live'
  if (act.kind === 'heartbeat') {
    if (run.warned) story.notices.push({ kind: 'cleared', runId: run.id, at: now })
    Object.assign(run, { lastActivityAt: now, silentSince: now, warned: false })
    return null
  }
  const inGrace = now < run.startedAt + run.interval * run.policy.intervalMs + run.policy.refundGraceMs
  if (act.by === 'seller' && run.interval > 0 && inGrace && canRefund(story, run)) move(story, 'refund', 1, run, now)
  run.end = { at: now, reason: act.by }
  return null
}

function moveCredits(story: Story, amount: number, now: Instant): string | null {
  if (story.balance + amount < 0) return 'balance_would_be_negative'
  move(story, amount > 0 ? 'grant' : 'adjustment', amount, null, now)
  const low = amount < 0 && story.balance <= LOW_CREDIT_THRESHOLD
  if (low) story.notices.push({ kind: 'low', runId: null, at: now })
  return null
}

function start(story: Story, livestreamId: string, policy: Policy, now: Instant): string | null {
  if (story.balance === 0) return 'insufficient_credits'
  const id = story.runs.length + 1
  const activity = { lastActivityAt: now, silentSince: now, warned: false }
  const run: ToldRun = {
    id,
    livestreamId,
    startedAt: now,
    policy,
    interval: 0,
    ...activity,
    finalTold: null,
    end: null,
  }
  story.runs.push(run)
  move(story, 'deduction', -1, run, now)
  tellLow(story, [run], now)
  return null
}

/** B10: what was paid, and was not given back. */
function canRefund(story: Story, { id, interval }: Pick<ToldRun, 'id' | 'interval'>): boolean {
  const kinds = story.lines.filter((line) => line.runId === id && line.interval === interval).map(({ kind }) => kind)
  return kinds.includes('deduction') && !kinds.includes('refund')
}

function refundNewest(story: Story, runs: readonly ToldRun[], now: Instant): string | null {
  const line = story.lines.findLast(({ kind, runId }) => kind === 'deduction' && runs.some(({ id }) => id === runId))
  const run = runs.find(({ id }) => id === line?.runId)
  if (!line || !run || line.interval === null) return 'entry_not_found'
  const { interval } = line
  if (!canRefund(story, { id: run.id, interval })) return 'already_refunded'
  move(story, 'refund', 1, { ...run, interval }, now)
  return null
}
