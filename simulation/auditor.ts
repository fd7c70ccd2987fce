import { isDeepStrictEqual } from 'node:util'
import type { EndReason, EntryKind } from '../client-sdk/protocol/index.js'
import type { Answer, Asked, Fact, Settings, Span } from './facts.js'

// SPEC.md told a second time, as plainly as can be, to judge the server by: one seller, instant by instant in time order, knowing
// every outage beforehand and remembering everything. It shares no code with the server, and is meant to be read
// beside the rules, not to be fast.

export interface ExpectedEntry {
  readonly kind: EntryKind
  readonly amount: number
  readonly balanceAfter: number
  readonly runId: number | null
  readonly interval: number | null
  readonly at: number
}

/** What a `credit_update` tells of a live run (SPEC.md, S). */
export interface ExpectedForecast {
  readonly runId: number
  readonly consumed: number
  readonly nextAt: number
  readonly runsOutAt: number
}

/** A warning, or the end of one. */
export interface Notice {
  readonly kind: 'low' | 'final' | 'warned' | 'cleared'
  /** Null where it concerns the account alone. */
  readonly runId: number | null
  readonly at: number
  /** The interval under way, of `final`. */
  readonly interval: number | null
  /** The threshold of `low` and `final`, the last activity of `warned`. */
  readonly about: number
}

export interface ExpectedRun {
  readonly runId: number
  readonly livestreamId: string
  readonly startedAt: number
  readonly settings: Settings
  readonly end: { readonly at: number; readonly reason: EndReason; readonly consumed: number } | null
  readonly consumed: number
  readonly lastActivityAt: number
  readonly warned: boolean
  /** Whether the interval under way is the last that can be paid, and which that is. */
  readonly finalInterval: number | null
}

export interface Expected {
  readonly balance: number
  /** What each fact should have been answered. */
  readonly answers: readonly Answer[]
  readonly entries: readonly ExpectedEntry[]
  /** For each entry. */
  readonly forecasts: readonly (readonly ExpectedForecast[])[]
  readonly runs: readonly ExpectedRun[]
  /** What may be told at all: somebody who looks late is told less (V4). */
  readonly possible: readonly Notice[]
  /** What somebody is told who looks at every instant. */
  readonly told: readonly Notice[]
}

interface Run {
  readonly runId: number
  readonly livestreamId: string
  readonly startedAt: number
  readonly settings: Settings
  /** The interval under way. */
  interval: number
  consumed: number
  lastActivityAt: number
  silentSince: number
  warned: boolean
  isFinal: boolean
  finalToldOf: number | null
  end: { at: number; reason: EndReason; consumed: number } | null
}

interface Moved {
  readonly body: string
  readonly answer: Extract<Answer, { kind: 'moved' }>
}

interface Seller {
  readonly outages: readonly Span[]
  balance: number
  readonly answers: Answer[]
  readonly entries: ExpectedEntry[]
  readonly forecasts: ExpectedForecast[][]
  readonly runs: Run[]
  readonly keys: Map<string, Moved>
  readonly possible: Notice[]
  readonly told: Notice[]
}

/** A5: a gap of more than 3 s in the stamps of all servers together. */
export function outagesBetween(stamped: readonly Span[]): Span[] {
  const outages: Span[] = []
  for (const [index, { from }] of stamped.entries()) {
    const before = stamped[index - 1]
    if (before && from - before.to > 3_000) outages.push({ from: before.to, to: from })
  }
  return outages
}

/** What one seller's facts should have led to, up to an instant and including it. */
export function audit(facts: readonly Fact[], outages: readonly Span[], until: number): Expected {
  const seller: Seller = {
    outages,
    balance: 0,
    answers: [],
    entries: [],
    forecasts: [],
    runs: [],
    keys: new Map(),
    possible: [],
    told: [],
  }
  let done = 0
  let now = Number.NEGATIVE_INFINITY
  for (;;) {
    const act = facts[done]
    const next = Math.min(act?.at ?? Number.POSITIVE_INFINITY, nextInstant(seller, now))
    if (next > until) break
    now = next
    due(seller, now)
    // B4: acts come after everything that is due at their instant.
    for (let fact = facts[done]; fact?.at === now; fact = facts[done]) {
      seller.answers.push(perform(seller, fact.asked, now, fact.answer))
      done += 1
    }
  }
  return {
    balance: seller.balance,
    answers: seller.answers,
    entries: seller.entries,
    forecasts: seller.forecasts,
    runs: seller.runs.map((run) => ({
      runId: run.runId,
      livestreamId: run.livestreamId,
      startedAt: run.startedAt,
      settings: run.settings,
      end: run.end,
      consumed: run.consumed,
      lastActivityAt: run.lastActivityAt,
      warned: run.end === null && run.warned,
      finalInterval: run.end === null && run.isFinal ? run.interval : null,
    })),
    possible: seller.possible,
    told: seller.told,
  }
}

function live({ runs }: Seller): Run[] {
  return runs.filter(({ end }) => end === null)
}

const begin = (run: Run, interval: number) => run.startedAt + interval * run.settings.intervalMs
const deadline = (run: Run) => run.silentSince + run.settings.autoEndMs

/** The next instant after `now` at which something happens by itself. */
function nextInstant(seller: Seller, now: number): number {
  const instants = live(seller).flatMap((run) => [
    begin(run, run.interval + 1),
    deadline(run),
    run.silentSince + run.settings.warningMs,
  ])
  if (live(seller).length > 0) {
    const ending = seller.outages.find(({ to }) => to > now)
    if (ending) instants.push(ending.to)
  }
  return Math.min(...instants.filter((instant) => instant > now))
}

function due(seller: Seller, now: number): void {
  for (const run of live(seller)) outageEnds(seller, run, now)
  const deducted = live(seller).filter((run) => beginOrEnd(seller, run, now))
  tellLow(seller, deducted, now)
  for (const run of live(seller)) warn(seller, run, now)
}

/** A5: an outage that begins before the deadline restarts the silence at its end; A3: that clears a warning. */
function outageEnds(seller: Seller, run: Run, now: number): void {
  for (const { from, to } of seller.outages) {
    if (to !== now || from >= deadline(run) || to <= run.silentSince) continue
    if (run.warned) tell(seller, { kind: 'cleared', runId: run.runId, at: now, interval: null, about: 0 })
    run.silentSince = to
    run.warned = false
  }
}

/** Whether an outage is under way at `now`, its end included, that restarts this run's silence when it ends. */
function isHeldUp({ outages }: Seller, run: Run, now: number): boolean {
  return outages.some(({ from, to }) => from < now && now <= to && from < deadline(run) && to > run.silentSince)
}

/** @returns whether an interval was deducted now */
function beginOrEnd(seller: Seller, run: Run, now: number): boolean {
  const { autoEndMs } = run.settings
  const begins = now === begin(run, run.interval + 1)
  const inactive = now === deadline(run) && !isHeldUp(seller, run, now)
  const waived = begins && seller.outages.some(({ from, to }) => now > from + autoEndMs && now <= to)
  // E3: on a tie credits_exhausted comes before inactivity. B12: not where the interval is waived.
  if (begins && !waived && seller.balance === 0) {
    finish(run, now, 'credits_exhausted')
  } else if (inactive) {
    // B6: an interval that begins at the deadline is not paid.
    finish(run, now, 'inactivity')
  } else if (begins) {
    run.interval += 1
    run.isFinal = false
    if (!waived) move(seller, 'deduction', -1, run, run.interval, now)
    return !waived
  }
  return false
}

function finish(run: Run, at: number, reason: EndReason): void {
  run.end = { at, reason, consumed: run.consumed }
}

/** Writes an entry, and what its event tells of the live runs. */
function move(
  seller: Seller,
  kind: EntryKind,
  amount: number,
  run: Run | null,
  interval: number | null,
  at: number,
): void {
  seller.balance += amount
  if (run) run.consumed -= amount
  seller.entries.push({ kind, amount, balanceAfter: seller.balance, runId: run?.runId ?? null, interval, at })
  const outs = runOuts(seller)
  seller.forecasts.push(
    live(seller).map((one) => ({
      runId: one.runId,
      consumed: one.consumed,
      nextAt: begin(one, one.interval + 1),
      runsOutAt: outs.get(one.runId) ?? 0,
    })),
  )
}

/** When each live run ends if nothing is granted and all go on: credit by credit, in time order, ties to the older run. */
function runOuts(seller: Seller): Map<number, number> {
  const outs = new Map<number, number>()
  const going = live(seller).map((run) => ({
    runId: run.runId,
    next: begin(run, run.interval + 1),
    settings: run.settings,
  }))
  let balance = seller.balance
  while (outs.size < going.length) {
    const left = going.filter(({ runId }) => !outs.has(runId))
    const first = left.reduce((a, b) => (b.next < a.next ? b : a))
    if (balance === 0) outs.set(first.runId, first.next)
    balance = Math.max(0, balance - 1)
    if (!outs.has(first.runId)) first.next += first.settings.intervalMs
  }
  return outs
}

/** A3. In an outage nobody is warned: its end restarts the silence. */
function warn(seller: Seller, run: Run, now: number): void {
  if (now !== run.silentSince + run.settings.warningMs || isHeldUp(seller, run, now)) return
  run.warned = true
  tell(seller, { kind: 'warned', runId: run.runId, at: now, interval: null, about: run.lastActivityAt })
}

function tell(seller: Seller, notice: Notice): void {
  seller.told.push(notice)
  seller.possible.push(notice)
}

/** B9, after all that happened at one instant; `deducted` are the runs that paid for an interval then. */
function tellLow(seller: Seller, deducted: readonly Run[], now: number): void {
  const outs = runOuts(seller)
  const finals = new Set<Run>()
  for (const run of live(seller)) {
    const isFinal = outs.get(run.runId) === begin(run, run.interval + 1)
    const about = run.settings.lowCreditThreshold
    const notice: Notice = { kind: 'final', runId: run.runId, at: now, interval: run.interval, about }
    if (isFinal && !run.isFinal) seller.possible.push(notice)
    run.isFinal = isFinal
    if (!isFinal || run.finalToldOf === run.interval) continue
    run.finalToldOf = run.interval
    finals.add(run)
    seller.told.push(notice)
  }
  for (const run of deducted) {
    const { balanceAfter = 0 } = seller.entries.findLast(({ runId }) => runId === run.runId) ?? {}
    const about = run.settings.lowCreditThreshold
    if (balanceAfter > about) continue
    const notice: Notice = { kind: 'low', runId: run.runId, at: now, interval: null, about }
    // Where both come of one instant, one event tells it; somebody who looks later may be told this alone.
    seller.possible.push(notice)
    if (!finals.has(run) && run.end === null) seller.told.push(notice)
  }
}

function perform(seller: Seller, asked: Asked, now: number, answer: Answer): Answer {
  switch (asked.kind) {
    case 'start':
      return start(seller, asked.livestreamId, asked.settings, now, answer)
    case 'ping':
      return asked.by === 'stranger' ? refusal('permission_denied') : ping(seller, asked.livestreamId, now, answer)
    case 'end':
      return asked.by === 'stranger' ? refusal('permission_denied') : end(seller, asked.livestreamId, asked.by, now)
    case 'check':
      return check(seller, asked.livestreamId, now)
    case 'move':
      return moveOnce(seller, asked, now)
  }
}

function refusal(
  code: Extract<Answer, { kind: 'refused' }>['code'],
  runId: number | null = null,
  reason: string | null = null,
): Answer {
  return { kind: 'refused', code, runId, reason }
}

function liveOn(seller: Seller, livestreamId: string): Run | undefined {
  return live(seller).find((run) => run.livestreamId === livestreamId)
}

/** H1: it names the last run, where there was one. */
function notLive(seller: Seller, livestreamId: string): Answer {
  const last = seller.runs.findLast((run) => run.livestreamId === livestreamId)
  return refusal('livestream_not_live', last?.runId ?? null, last?.end?.reason ?? null)
}

/** The id of a run is the server's to choose: greater than all before it (B4). */
function start(seller: Seller, livestreamId: string, settings: Settings, now: number, answer: Answer): Answer {
  const already = liveOn(seller, livestreamId)
  if (already) return refusal('livestream_already_live', already.runId)
  if (seller.balance === 0) return refusal('insufficient_credits')
  const newest = Math.max(0, ...seller.runs.map(({ runId }) => runId))
  const runId = answer.kind === 'started' && answer.runId > newest ? answer.runId : newest + 0.5
  const run: Run = {
    runId,
    livestreamId,
    startedAt: now,
    settings,
    interval: 0,
    consumed: 0,
    lastActivityAt: now,
    silentSince: now,
    warned: false,
    isFinal: false,
    finalToldOf: null,
    end: null,
  }
  seller.runs.push(run)
  move(seller, 'deduction', -1, run, 0, now)
  tellLow(seller, [run], now)
  return {
    kind: 'started',
    runId,
    balance: seller.balance,
    consumed: 1,
    startedAt: now,
    nextAt: begin(run, 1),
    runsOutAt: runOuts(seller).get(runId) ?? 0,
  }
}

/**
 * A7: a heartbeat that is stored in a batch settles nothing. Nothing of its own run is due then, but something of another
 * run may be, which the balance that it answers does not know of yet.
 */
function ping(seller: Seller, livestreamId: string, now: number, answer: Answer): Answer {
  const run = liveOn(seller, livestreamId)
  if (!run) return notLive(seller, livestreamId)
  if (run.warned) tell(seller, { kind: 'cleared', runId: run.runId, at: now, interval: null, about: 0 })
  run.lastActivityAt = now
  run.silentSince = now
  run.warned = false
  const others = seller.runs.some(
    (one) => one !== run && one.end?.reason !== 'seller' && one.end?.reason !== 'operator',
  )
  const earlier = others && answer.kind === 'heard' ? answer.balance : 0
  return { kind: 'heard', balance: Math.max(seller.balance, earlier), consumed: run.consumed, lastActivityAt: now }
}

function end(seller: Seller, livestreamId: string, by: 'seller' | 'operator', now: number): Answer {
  const run = liveOn(seller, livestreamId)
  if (!run) return notLive(seller, livestreamId)
  // B10: within the grace of an interval that is not the first, if it was paid and not given back before.
  const inGrace = now - begin(run, run.interval) < run.settings.refundGraceMs
  if (by === 'seller' && run.interval > 0 && inGrace && isRefundable(seller, run.runId, run.interval)) {
    move(seller, 'refund', 1, run, run.interval, now)
  }
  finish(run, now, by)
  tellLow(seller, [], now)
  return {
    kind: 'ended',
    runId: run.runId,
    balance: seller.balance,
    consumed: run.consumed,
    minutes: Math.floor((now - run.startedAt) / 60_000),
    reason: by,
  }
}

function isRefundable({ entries }: Seller, runId: number, interval: number): boolean {
  const kinds = entries.filter((entry) => entry.runId === runId && entry.interval === interval).map(({ kind }) => kind)
  return isDeepStrictEqual(kinds, ['deduction'])
}

function check(seller: Seller, livestreamId: string, now: number): Answer {
  const ofStream = seller.runs.filter((run) => run.livestreamId === livestreamId)
  const last = ofStream.at(-1)
  if (!last) return notLive(seller, livestreamId)
  const { balance } = seller
  if (last.end) return { kind: 'over', balance, consumed: last.consumed, reason: last.end.reason }
  return {
    kind: 'live',
    balance,
    consumed: last.consumed,
    totalConsumed: ofStream.reduce((sum, { consumed }) => sum + consumed, 0),
    minutesLeft: Math.floor((begin(last, last.interval + 1) - now) / 60_000),
  }
}

/** B8. */
function moveOnce(seller: Seller, asked: Extract<Asked, { kind: 'move' }>, now: number): Answer {
  const body = JSON.stringify([asked.amount, asked.corrects])
  const before = seller.keys.get(asked.key)
  if (before) return before.body === body ? { ...before.answer, created: false } : refusal('idempotency_key_reused')
  const refused = refusalToMove(seller, asked)
  if (refused) return refused
  const entries = seller.entries.length
  if (asked.corrects && asked.corrects !== 'nothing') {
    const { runId, interval } = asked.corrects
    move(seller, 'refund', 1, seller.runs.find((run) => run.runId === runId) ?? null, interval, now)
  } else {
    move(seller, asked.amount > 0 ? 'grant' : 'adjustment', asked.amount, null, null, now)
    const about = asked.lowCreditThreshold
    if (asked.amount < 0 && seller.balance <= about) {
      tell(seller, { kind: 'low', runId: null, at: now, interval: null, about })
    }
  }
  tellLow(seller, [], now)
  const entry = seller.entries[entries]
  if (!entry) throw new Error('an entry was just written')
  const { kind, amount, balanceAfter } = entry
  const answer = { kind: 'moved' as const, created: true, entry: kind, amount, balanceAfter, occurredAt: now }
  seller.keys.set(asked.key, { body, answer })
  return answer
}

function refusalToMove(seller: Seller, { amount, corrects }: Extract<Asked, { kind: 'move' }>): Answer | null {
  if (corrects === null) return seller.balance + amount < 0 ? refusal('balance_would_be_negative') : null
  if (corrects === 'nothing') return refusal('entry_not_found')
  // B10: never by more than it was.
  if (amount !== 1) return refusal('invalid_request')
  return isRefundable(seller, corrects.runId, corrects.interval) ? null : refusal('already_refunded')
}
