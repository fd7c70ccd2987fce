import { BATCH, type LimitForm } from './charging-limit.js'
import { type Chart, median, saveResult, type Table, type Target } from './result.js'

export type Contestant = 'ours' | LimitForm

/** Deductions a second, one for each turn. */
export type Turns = Record<Contestant, number[]>

/** What was measured with so many live runs. */
export interface Charged {
  readonly live: number
  readonly idlePassMs: number
  readonly onePercent: Turns
  readonly all: Turns
}

/** From how many live runs on the goal counts. */
const MANY = 100_000
const GOAL = 0.7

const NAMES: Record<Contestant, string> = {
  ours: 'Tallylight',
  guarded: 'by hand, triggers on',
  bare: 'by hand, triggers off',
  insert: 'entries and events only inserted',
}

const whole = (number: number): string => Math.round(number).toLocaleString('en')
const ratios = (turns: Turns, over: LimitForm): number[] =>
  turns.ours.map((own, i) => Number((own / (turns[over][i] ?? Number.NaN)).toFixed(3)))

/** Keeps what was measured on a database. */
export function tellCharging(on: 'SQLite' | 'PostgreSQL', charged: readonly Charged[], pairs: number): void {
  const kind = on.toLowerCase().slice(0, 8)
  saveResult(`charging-${kind}`, {
    title: `Charging on ${on}`,
    command: `npm run bench:charging -- ${kind}`,
    about:
      'Deductions a second with nothing, one in a hundred and everything due, each run of a seller of its own, ' +
      `${pairs} rounds in turn on one database; commits are on disk. Ours is the sweep as the server runs it, without sockets and log. Beside it is what it ` +
      `could cost at best: the same rows, known beforehand, written ${by(on)} in transactions of ${BATCH}, where nothing is ` +
      'looked for, held, stamped or decided. With the triggers of the schema on, those move the account and check the balance, as they do for ours; ' +
      'with them off, the account is written by hand as well. Keys, foreign keys and indexes are on in both. Last, what only ' +
      'inserting the ledger entries and events costs, in one transaction into empty tables without foreign keys.',
    tables: charged.flatMap((one) => [tableOf(one)]),
    charts: charged.filter(({ live }) => live === Math.max(...charged.map((one) => one.live))).map(chartOf),
    targets: charged.filter(({ live }) => live >= MANY).flatMap((one) => targetsOf(on, one)),
  })
}

const by = (on: 'SQLite' | 'PostgreSQL'): string =>
  on === 'SQLite' ? 'by prepared statements' : 'by one statement a batch'

function tableOf({ live, idlePassMs, onePercent, all }: Charged): Table {
  const row = (title: string, turns: Turns): string[] => {
    const perSecond = (['ours', 'guarded', 'bare', 'insert'] as const).map((who) =>
      turns[who].length > 0 ? whole(median(turns[who])) : '',
    )
    const over = (['guarded', 'bare'] as const).map((form) => median(ratios(turns, form)).toFixed(2))
    return [title, ...perSecond, ...over]
  }
  return {
    title: `Deductions a second, ${whole(live)} live runs`,
    columns: ['due', ...Object.values(NAMES), 'ours over triggers on', 'over triggers off'],
    rows: [
      ['nothing', `${(idlePassMs * 1_000).toFixed(0)} µs a pass`, '', '', '', '', ''],
      row('1 %', onePercent),
      row('all', all),
    ],
  }
}

function chartOf({ live, all }: Charged): Chart {
  return {
    title: `Deductions a second, ${whole(live)} live runs, all due`,
    unit: 'a second',
    better: 'higher',
    bars: (Object.keys(NAMES) as Contestant[]).map((who) => ({
      label: NAMES[who],
      value: Math.round(median(all[who])),
      who: who === 'ours' ? 'ours' : 'limit',
    })),
  }
}

function targetsOf(on: string, { live, all }: Charged): Target[] {
  return (['guarded', 'bare'] as const).map((form) => ({
    what: `deductions a second on ${on}, ${whole(live)} live, all due, over statements ${NAMES[form]}`,
    bound: 'at least',
    goal: GOAL,
    measured: ratios(all, form),
  }))
}
