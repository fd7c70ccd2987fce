import { testsPostgres } from '../../support/fresh-database.js'
import { aboutRun, type Edit, ENDED, EXHAUSTED, INACTIVE, LIVE, moveEnd, outage } from './edit.js'

/** Of runs: their order, ends and silences. */
export const EDITS_OF_RUNS: readonly Edit[] = [
  {
    rule: 'E1',
    what: 'a run of another seller than its livestream',
    edit: "update livestreams set seller_id = 'bob' where id = 'dan-show'",
    says: /run \d+ is of seller dan, but livestream dan-show is of seller bob/,
  },
  {
    rule: 'E1',
    what: 'an entry for a run of another livestream',
    edit: `update ledger_entries set livestream_id = 'bob-show' where run_id = ${INACTIVE}`,
    also: ['V1'],
    says: /entry \d+ is of livestream bob-show of seller dan, but run \d+ is of livestream dan-show of seller dan/,
  },
  {
    rule: 'E2',
    what: 'two runs of a livestream at once',
    edit: moveEnd(ENDED, 1_000),
    says: /livestream ann-show: run \d+ started at 2026\S+, but run 1 ended at 2026/,
  },
  {
    rule: 'E2',
    what: 'two live runs of a livestream',
    edit: `drop index runs_one_live; delete from events where kind = 'stream_ended' and payload like ${aboutRun(ENDED)};
      update runs set ended_at = null, end_reason = null, due_at = 0 where id = ${ENDED};`,
    also: ['B11', 'V2'],
    says: /livestream ann-show: run \d+ started at 2026\S+, but run 1 is live/,
  },
  {
    rule: 'B4',
    what: 'run ids that are not in the order of starting',
    edit: `update runs set started_at = started_at - 1, last_activity_at = last_activity_at - 1 where livestream_id = 'cat-two'`,
    also: ['A2', 'B2', 'V1'],
    says: /run \d+ started at 2025\S+, before run \d+, which started at 2026/,
  },
  {
    rule: 'B4',
    what: 'a counter that would give a run id away twice',
    edit: testsPostgres
      ? 'alter sequence runs_id_seq restart with 2'
      : "update sqlite_sequence set seq = 1 where name = 'runs'",
    says: /the counter of run ids stands at 1, but there is a run \d+/,
  },
  {
    rule: 'B4',
    what: 'a live run that would be looked at too late',
    edit: `update runs set due_at = due_at + 3600000 where id = ${LIVE}`,
    says: /live run \d+ of seller ann is looked at no sooner than/,
  },
  {
    rule: 'E5',
    what: 'a livestream that was deleted',
    edit: "delete from livestreams where id = 'dan-show'",
    says: /run \d+ names livestream dan-show, which does not exist/,
  },
  {
    rule: 'E4',
    what: 'an ended run that is still due',
    edit: `update runs set due_at = ended_at where id = ${ENDED}`,
    says: /run 1 of seller ann ended at \S+ by seller, which is no end of a run/,
  },
  {
    rule: 'E4',
    what: 'an end without a reason',
    edit: `update runs set end_reason = null where id = ${ENDED}`,
    also: ['V1'],
    says: /run 1 of seller ann ended at \S+ by null, which is no end of a run/,
  },
  {
    rule: 'B3',
    what: 'an end for want of credits where no interval begins',
    edit: moveEnd(EXHAUSTED, -1),
    says: /run \d+ of seller bob ended at \S+:01:59.999Z by credits_exhausted, but its interval 2 begins at \S+:02:00.000Z/,
  },
  {
    rule: 'B3',
    what: 'an end for want of credits that were there',
    edit: `${moveEnd(INACTIVE, 30_000)} update runs set end_reason = 'credits_exhausted' where id = ${INACTIVE};`,
    also: ['E3', 'V1'],
    says: /run \d+ of seller dan ended at \S+ by credits_exhausted, but the balance was 4/,
  },
  {
    rule: 'B6',
    what: 'a run that was billed past its end',
    edit: `update runs set billed_intervals = billed_intervals + 1 where id = ${ENDED}`,
    also: ['B2'],
    says: /run 1 of seller ann ended at \S+ by seller, but 4 of its intervals have begun/,
  },
  {
    rule: 'B6',
    what: 'a run that paid at its deadline',
    edit: `${moveEnd(INACTIVE, -30_000)} update runs set last_activity_at = started_at - 30000,
      silent_since = started_at - 30000 where id = ${INACTIVE};`,
    says: /run \d+ of seller dan ended at \S+ by inactivity, but deduction \d+ of it is of/,
  },
  {
    rule: 'B6',
    what: 'a run that ended when somebody noticed',
    edit: moveEnd(INACTIVE, 1_000),
    says: /run \d+ of seller dan ended at \S+:31.000Z by inactivity, but its deadline is \S+:30.000Z/,
  },
  {
    rule: 'E4',
    what: 'a deduction after an end',
    edit: moveEnd(ENDED, '(-100000)'),
    also: ['B6'],
    says: /run 1 of seller ann ended at \S+ by seller, but deduction \d+ of it is of/,
  },
  {
    rule: 'E4',
    what: 'activity after an end',
    edit: `update runs set last_activity_at = ended_at + 1, silent_since = ended_at + 1 where id = ${ENDED}`,
    says: /run 1 of seller ann ended at \S+ by seller, but was active at/,
  },
  {
    rule: 'A2',
    what: 'a silence that nothing began',
    edit: `update runs set silent_since = silent_since + 1 where id = ${ENDED}`,
    says: /run 1 of seller ann was last active at \S+, but is silent since \S+, where no outage ended/,
  },
  {
    rule: 'A5',
    what: 'an end by a silence that an outage restarts',
    edit: outage(10_000, 20_000),
    says: /run \d+ of seller dan ended at \S+ by inactivity, silent since \S+, but there was an outage/,
  },
  {
    rule: 'E3',
    what: 'a run that outlived its deadline',
    edit: `update runs set last_activity_at = started_at, silent_since = started_at where id = ${ENDED}`,
    says: /run 1 of seller ann ended at \S+ by seller, but was due to end by inactivity at \S+:30.000Z/,
  },
  {
    rule: 'E3',
    what: 'a tie that inactivity won',
    edit: `update runs set end_reason = 'inactivity', last_activity_at = ended_at - auto_end_ms,
      silent_since = ended_at - auto_end_ms where id = ${EXHAUSTED};
      update events set payload = replace(payload, '"reason":"credits_exhausted"', '"reason":"inactivity"')
        where kind = 'stream_ended' and payload like ${aboutRun(EXHAUSTED)};`,
    says: /run \d+ of seller bob ended at \S+ by inactivity, but at that instant an interval began/,
  },
  {
    rule: 'B11',
    what: 'a live run that was left behind by its seller’s ledger',
    edit: `update runs set billed_intervals = billed_intervals - 1 where id = ${LIVE}`,
    also: ['B2', 'B4'],
    says: /live run \d+ of seller ann has something due at \S+ that was not done before the seller’s entry of/,
  },
]
