import { isDeepStrictEqual } from 'node:util'
import type { EventKind } from '../client-sdk/protocol/index.js'
import type { Expected, ExpectedRun, Notice } from './auditor.js'
import type { EventInBooks, SellerBooks } from './books.js'
import type { Fact, Span, Written } from './facts.js'

/** When what happened, beside the facts of the seller. */
export interface Times {
  readonly outages: readonly Span[]
  readonly sweptPromptly: readonly Span[]
  readonly written: readonly Written[]
}

/** The order in which one transaction writes its events (V4). */
const ORDER: readonly EventKind[] = [
  'stream_started',
  'credit_update',
  'low_credit_warning',
  'inactivity_warning',
  'inactivity_cleared',
  'stream_ended',
]

/** Says in words what differs between what should be and what is; empty where all is well. */
export function differences(facts: readonly Fact[], expected: Expected, books: SellerBooks, times: Times): string[] {
  return [
    ...compareAnswers(facts, expected),
    ...heardInOutages(facts, times.outages),
    ...(expected.balance === books.balance ? [] : [`the balance is ${books.balance}, not ${expected.balance}`]),
    ...listsDiffer('entry', expected.entries, books.entries.map(plain)),
    ...listsDiffer('run', expected.runs.map(runInBooks), books.runs.map(plain)),
    ...listsDiffer('told entry', toldEntries(expected), books.events.flatMap(toldEntry)),
    ...listsDiffer('told start', expected.runs.map(toldStartOf), books.events.flatMap(toldStart)),
    ...listsDiffer('told end', expected.runs.flatMap(toldEndOf).sort(byRun), books.events.flatMap(toldEnd).sort(byRun)),
    ...compareNotices(expected, books.events, times),
    ...compareWritten(books.events, times),
  ]
}

/** Rows of a driver may have another prototype. */
const plain = <T extends object>(row: T): T => ({ ...row })
const byRun = (a: { runId: number | null }, b: { runId: number | null }) => (a.runId ?? 0) - (b.runId ?? 0)

function listsDiffer(what: string, expected: readonly object[], got: readonly object[]): string[] {
  const at = Array.from({ length: Math.max(expected.length, got.length) }, (_, index) => index).find(
    (index) => !isDeepStrictEqual(expected[index], got[index]),
  )
  if (at === undefined) return []
  return [`${what} ${at + 1} should be ${words(expected[at])}, and is ${words(got[at])}`]
}

/** Instants are easier to read as such. */
function words(value: unknown): string {
  return JSON.stringify(value ?? 'none', (_name, one: unknown) =>
    typeof one === 'number' && one > 1_000_000_000_000 ? new Date(one).toISOString() : one,
  )
}

function compareAnswers(facts: readonly Fact[], { answers }: Expected): string[] {
  const at = facts.findIndex(({ answer }, index) => !isDeepStrictEqual(answer, answers[index]))
  const fact = facts[at]
  if (!fact) return []
  return [
    `${words(fact.asked)} at ${words(fact.at)} should be answered ${words(answers[at])}, not ${words(fact.answer)}`,
  ]
}

/** A5: in an outage nobody can be heard, so whoever is heard by a server ends it. Only commands work beside it. */
function heardInOutages(facts: readonly Fact[], outages: readonly Span[]): string[] {
  const heard = facts.filter(({ answer }) => ['heard', 'started', 'ended'].includes(answer.kind))
  return heard
    .filter(({ at }) => outages.some(({ from, to }) => from < at && at < to))
    .filter(({ at }) => at - (outages.findLast(({ from }) => from < at)?.from ?? at) > 3_000)
    .map(({ asked, at }) => `A5: ${words(asked)} was heard in an outage, at ${words(at)}`)
}

function runInBooks(run: ExpectedRun) {
  return {
    runId: run.runId,
    livestreamId: run.livestreamId,
    startedAt: run.startedAt,
    endedAt: run.end?.at ?? null,
    reason: run.end?.reason ?? null,
    consumed: run.consumed,
    lastActivityAt: run.lastActivityAt,
    warned: run.warned,
  }
}

const instant = (timestamp: string | null | undefined) => (timestamp ? Date.parse(timestamp) : null)

/** V1: each entry has its event, with what it says of the live runs. */
function toldEntries({ entries, forecasts }: Expected): object[] {
  return entries.map((entry, index) => ({ ...entry, runs: forecasts[index] }))
}

function toldEntry({ kind, at, payload }: EventInBooks): object[] {
  if (kind !== 'credit_update') return []
  return [
    {
      kind: payload.kind,
      amount: payload.change,
      balanceAfter: payload.remaining_credits,
      runId: payload.run_id,
      interval: payload.interval_index,
      at,
      runs: payload.runs?.map((run) => ({
        runId: run.run_id,
        consumed: run.credits_consumed,
        nextAt: instant(run.next_deduction_at),
        runsOutAt: instant(run.credits_run_out_at),
      })),
    },
  ]
}

function toldStartOf({ runId, livestreamId, startedAt, settings }: ExpectedRun) {
  return { runId, livestreamId, at: startedAt, nextAt: startedAt + settings.intervalMs }
}

function toldStart({ kind, at, payload }: EventInBooks) {
  if (kind !== 'stream_started') return []
  return [
    { runId: payload.run_id, livestreamId: payload.livestream_id, at, nextAt: instant(payload.next_deduction_at) },
  ]
}

function toldEndOf({ runId, startedAt, end }: ExpectedRun) {
  if (!end) return []
  return [{ runId, ...end, minutes: Math.floor((end.at - startedAt) / 60_000) }]
}

function toldEnd({ kind, at, payload }: EventInBooks) {
  if (kind !== 'stream_ended') return []
  const { run_id: runId = null, reason, credits_consumed: consumed, duration_minutes: minutes } = payload
  return [{ runId, at, reason, consumed, minutes }]
}

function noticeIn({ kind, at, payload }: EventInBooks): Notice[] {
  const { run_id: runId = null } = payload
  const about = { runId, at, interval: null }
  if (kind === 'inactivity_warning') return [{ kind: 'warned', ...about, about: instant(payload.last_activity) ?? 0 }]
  if (kind === 'inactivity_cleared') return [{ kind: 'cleared', ...about, about: 0 }]
  if (kind !== 'low_credit_warning') return []
  return [{ kind: payload.final ? 'final' : 'low', ...about, about: payload.threshold ?? 0 }]
}

const keyOf = ({ kind, runId, at, about }: Notice) => `${kind} of run ${runId} at ${words(at)} (${words(about)})`

function counted(notices: readonly Notice[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const notice of notices) counts.set(keyOf(notice), (counts.get(keyOf(notice)) ?? 0) + 1)
  return counts
}

function compareNotices(
  expected: Expected,
  events: readonly EventInBooks[],
  { outages, sweptPromptly }: Times,
): string[] {
  const faults: string[] = []
  const told = events.flatMap(noticeIn)
  const keys = new Set(told.map(keyOf))
  const possible = new Map(expected.possible.map((notice) => [keyOf(notice), notice]))
  for (const notice of told) if (!possible.has(keyOf(notice))) faults.push(`told without cause: ${keyOf(notice)}`)
  // Two entries of one instant can both leave the account low, and then both warn.
  const allowed = counted(expected.possible)
  for (const [key, count] of counted(told)) {
    if (count > Math.max(1, allowed.get(key) ?? 0)) faults.push(`told twice: ${key}`)
  }

  // Whoever looks at once is told of everything; of a cleared warning only if it was told before.
  for (const notice of expected.told) {
    const due = notice.runId === null || isIn(sweptPromptly, notice.at)
    if (due && notice.kind !== 'cleared' && !keys.has(keyOf(notice))) faults.push(`not told: ${keyOf(notice)}`)
  }

  const finals = told.flatMap((notice) => {
    const interval = possible.get(keyOf(notice))?.interval
    return notice.kind === 'final' ? [`${notice.runId}#${interval}`] : []
  })
  if (new Set(finals).size < finals.length) faults.push(`B9: the final interval is told once: ${finals}`)
  for (const run of expected.runs) faults.push(...compareLast(run, told, new Set(finals), expected, outages, events))
  return faults
}

/** What holds of one run however late anybody looked. */
function compareLast(
  run: ExpectedRun,
  told: readonly Notice[],
  finals: ReadonlySet<string>,
  { possible }: Expected,
  outages: readonly Span[],
  events: readonly EventInBooks[],
): string[] {
  const faults: string[] = []
  const { runId, finalInterval } = run
  if (finalInterval !== null && !finals.has(`${runId}#${finalInterval}`)) {
    faults.push(`B9: run ${runId} was not told that interval ${finalInterval} is its last`)
  }
  const silence = told.filter((notice) => notice.runId === runId && ['warned', 'cleared'].includes(notice.kind))
  if (run.end === null && (silence.at(-1)?.kind === 'warned') !== run.warned) {
    faults.push(`A3: run ${runId} is ${run.warned ? '' : 'not '}silent, and was told otherwise`)
  }
  for (const [index, { kind, at }] of silence.entries()) {
    const before = silence[index - 1]
    if (kind === 'cleared' && before?.kind !== 'warned') faults.push(`A3: run ${runId} was cleared of no warning`)
    // V4: the warning of a silence that an outage restarted may stand for both.
    const stands = kind === 'warned' && before?.kind === 'warned'
    if (stands && !outages.some(({ to }) => to > before.at && to <= at)) {
      faults.push(`A3: run ${runId} was warned twice of one silence`)
    }
    if (kind !== 'warned') continue
    const broken = possible.find((notice) => notice.runId === runId && notice.kind === 'cleared' && notice.at >= at)
    const byOutage = broken && outages.some(({ to }) => to === broken.at)
    const next = silence[index + 1]
    if (broken && !byOutage && (next?.kind !== 'cleared' || next.at !== broken.at)) {
      faults.push(`A3: run ${runId} was not told at ${words(broken.at)} that its warning is over`)
    }
  }
  const ended = events.findIndex(({ kind, payload }) => kind === 'stream_ended' && payload.run_id === runId)
  const after = ended < 0 ? [] : events.slice(ended + 1).filter(({ payload }) => payload.run_id === runId)
  // E4; a refund of one of its deductions may come later.
  if (after.some(({ kind, payload }) => payload.kind !== 'refund' || kind !== 'credit_update')) {
    faults.push(`E4: something is told of run ${runId} after its end`)
  }
  return faults
}

/** V4, and that a sweep at the right instant tells of it at that instant. */
function compareWritten(events: readonly EventInBooks[], { written, sweptPromptly }: Times): string[] {
  const faults: string[] = []
  const kinds = written.flatMap((transaction) => transaction.kinds)
  const instants = written.flatMap((transaction) => transaction.kinds.map(() => transaction.at))
  if (
    !isDeepStrictEqual(
      kinds,
      events.map(({ kind }) => kind),
    )
  ) {
    faults.push(`V1: ${kinds} were announced, and ${events.map(({ kind }) => kind)} are kept`)
  }
  for (const transaction of written) {
    const ranks = transaction.kinds.map((kind) => ORDER.indexOf(kind))
    if (ranks.some((rank, index) => rank < (ranks[index - 1] ?? 0))) {
      faults.push(`V4: in one transaction: ${transaction.kinds}`)
    }
  }
  for (const [index, { kind, at, seq }] of events.entries()) {
    const late = instants[index] !== at && (isIn(sweptPromptly, at) || sweptPromptly.some(({ from }) => from === at))
    if (late) faults.push(`event ${seq}, ${kind} of ${words(at)}, was told late, at ${words(instants[index])}`)
  }
  return faults
}

/** After its beginning, and up to its end. */
function isIn(spans: readonly Span[], at: number): boolean {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((spans[middle]?.to ?? at) < at) low = middle + 1
    else high = middle
  }
  const span = spans[low]
  return span !== undefined && span.from < at && at <= span.to
}
