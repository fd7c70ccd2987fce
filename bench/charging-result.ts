import { LARGEST_BATCH } from '../server/services/slices.js'
import type { LimitForm } from './charging-limit.js'
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
export function tellCharging(
  on: 'SQLite' | 'PostgreSQL',
  charged: readonly Charged[],
  { pairs, options }: { pairs: number; options: readonly string[] },
): void {
  saveResult(on === 'SQLite' ? 'charging-sqlite' : 'charging-postgres', {
    title: `Charging on ${on}`,
    command: ['npm run bench:charging', ...options].join(' '),
    about:
      'Deductions a second with nothing, one in a hundred and everything due, each run of a seller of its own, ' +
      `${pairs} rounds in turn on one database; commits are on disk. Ours is the sweep as the server runs it, without sockets and log. Beside it is what it ` +
      `could cost at best: the same rows, known beforehand, written ${by(on)} in transactions of ${LARGEST_BATCH}, where nothing is ` +
      'looked for, held, stamped or decided. With the triggers of the schema on, those move the account and check the balance, as they do for ours; ' +
      'with them off, the account is written by hand as well. Keys, foreign keys and indexes are on in both. Last, what only ' +
      'inserting the ledger entries and events costs, in one transaction into empty tables without foreign keys.',
    tables: charged.flatMap((one) => [tableOf(one)]),
    charts: charged.filter(({ live }) => live === Math.max(...charged.map((one) => one.live))).map(chartOf),
    notes: NOTES[on],
    targets: charged.filter(({ live }) => live >= MANY).flatMap((one) => targetsOf(on, one)),
  })
}

/** What was tried, from profiles of the sweep with everything due. */
const NOTES: Record<'SQLite' | 'PostgreSQL', readonly string[]> = {
  SQLite: [
    'A profile with the stacks of native code has 30 % in the statements, 22 in commits and checkpoints, 11 in handing values over and reading them back, ' +
      '6 in writing events as JSON, 4 in garbage collection, and the rest in many small parts. Kept: runs, entries ' +
      'and events by statements that are prepared once and run row by row, where a batch was one JSON text for each table; that ' +
      'alone did not show a clear gain for entries and events.',
    'Kept: an update of a run that goes on names only what can change of it. SQLite looks at every index whose columns or ' +
      'condition an update names, and ended_at is in the condition of four: 3.5 to 0.8 ms for 250 runs.',
    'Kept: events in the order of their writing, with an index for their key, where a table in the order of the key had each event dirty and split a page of its own: 590 to 460 ms for 10,000 runs, ' +
      'and 400 to 275 by hand.',
    'Not kept: loading accounts and runs one by one instead of by a list (1.7 to 1.2 ms of a batch, at the price of a second way ' +
      'to load); no order in SQL of what is put in order later (4 of 2,500 ms).',
    'Kept: due runs with their accounts, the outages without a query builder, and no forecast where nobody is warned (4 % together).',
    'Kept: checkpoints after 4,000 pages of the log while no request comes, where each batch was followed by one: on a slow disk 254 to 160 µs ' +
      'a deduction. By hand has the same, and gains as much.',
    'Kept: up to 64 rows by one insert, before which SQLite keeps each page once instead of once for each row (8 %); by hand writes row by row.',
    'Kept: rows that come as bare cells and are named by the program, where the driver looks each name up for each row (5 %); less garbage, ten kilobytes a ' +
      'deduction before (10 %); batches of 500 where time allows, instead of 250 (5 %), for by hand too.',
    'Tried without a gain: one read for accounts and runs instead of two, an update that names only what a deduction changes, a cache of 32 MB.',
    'Tried without a gain: checkpoints in a thread of their own (their syncs and those of the commits hold up each other), pages of 1, 2 and 8 KB, ' +
      'updates of several runs by one statement, no sync at a commit but before each checkpoint (which bounds what a thread for it could gain).',
  ],
  PostgreSQL: [
    'Kept: what a run has consumed is written with the run, where the trigger of the entries updated the run a second time: 190 to 136 µs a deduction. ' +
      'PostgreSQL checks the foreign keys of a row again that its own transaction has written, which was 22 of those 54 µs, and the page of the first ' +
      'new version seldom has room for the second.',
    'Kept: triggers that update only the accounts that fit and count them, where they held them, looked them up and then updated them, and that look up ' +
      'whether a balance follows the ledger only where somebody moves it by hand: 154 to 146 µs, by hand 103 to 89, fourteen rounds in turn.',
    'Kept: batches of 500, which now take as long as 250 did before (135 to 129 and 140 to 113 µs); the clock, the newest stamp and the end of the newest outage ' +
      'by one statement, and outages only where one can matter (three of twelve ways there and back).',
    'Kept: runs that go on are updated, and inserted only where they are new, where all of them went through an upsert.',
    'A turn makes 10,000 deductions. In turns of 2,500, as they were before, ours is measured while much of it is still being compiled (of the processor it takes 50 to 70 µs a ' +
      'deduction in the first, and 30 in the last), and by hand is up to a tenth faster: 0.58 and 0.59 of by hand with triggers off with 100,000 live, 0.63 and 0.65 with a million.',
    'What is left over by hand is two reads that hold accounts and runs (a third), the way there and back of eight statements, and what is decided, written as ' +
      'text and collected meanwhile.',
    'Not kept: arrays as text of our own instead of the driver’s (no gain), rows put together while runs are written (within the noise), statements that are prepared ' +
      'once a connection (2 to 7 %; by hand has them; but a plan that was made for an empty table would be kept).',
    'Tried without a gain: a fillfactor of 60 for accounts and runs, so that new versions of a row stay on its page.',
  ],
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
    ...floorOf(form, all),
  }))
}

/** What the triggers cost by themselves is the floor: ours has them on. */
function floorOf(form: LimitForm, all: Turns): { floor?: string } {
  if (form !== 'bare' || median(ratios(all, 'bare')) >= GOAL) return {}
  const share = median(all.guarded.map((guarded, i) => guarded / (all.bare[i] ?? Number.NaN))).toFixed(2)
  return { floor: `the triggers hold B7 and V2; with them on, statements by hand reach ${share} of it` }
}
