import { aboutRun, type Edit, ENDED, EXHAUSTED, INACTIVE, moveEvent, outage, WARNING_OF_DAN } from './edit.js'

/** Of events and outages. */
export const EDITS_OF_EVENTS: readonly Edit[] = [
  {
    rule: 'V2',
    what: 'an event that was deleted',
    edit: `delete from events where ${WARNING_OF_DAN}`,
    says: /seller dan: event 5 follows event 3/,
  },
  {
    rule: 'V2',
    what: 'an account that is ahead of its events',
    edit: "update credit_accounts set last_seq = last_seq + 1 where seller_id = 'fay'",
    says: /the account of seller fay is at event \d+, but the newest is \d+/,
  },
  {
    rule: 'V2',
    what: 'an event that tells another place than its own',
    edit: `update events set payload = replace(payload, '{"seq":' || seq || ',', '{"seq":99,') where ${WARNING_OF_DAN}`,
    says: /event \d+ of seller dan, of \S+, tells {"seq":99,/,
  },
  {
    rule: 'V2',
    what: 'an event that is no JSON',
    edit: `update events set payload = '{"seq":' where ${WARNING_OF_DAN}`,
    says: /event \d+ of seller dan, of \S+, tells {"seq":$/,
  },
  {
    rule: 'V4',
    what: 'an event of an unknown kind',
    edit: `update events set kind = 'rumour' where ${WARNING_OF_DAN}`,
    says: /event \d+ of seller dan is a rumour/,
  },
  {
    rule: 'V1',
    what: 'an event about somebody else’s run',
    edit: `update events set payload = replace(payload, '"run_id":' || ${INACTIVE}, '"run_id":' || ${EXHAUSTED}) where ${WARNING_OF_DAN}`,
    says: /event \d+ of seller dan is about run \d+ of livestream dan-show, but that run is of livestream bob-show/,
  },
  {
    rule: 'V1',
    what: 'an event that tells another balance than its entry',
    edit: `update events set payload = replace(payload, '"remaining_credits":20,', '"remaining_credits":100,')
      where seller_id = 'ann' and kind = 'credit_update' and seq = 1`,
    says: /seller ann, movement 1: entry 1 is a grant of 20 at \S+ that leaves 20, and event 1 tells of a .* leaves 100/,
  },
  {
    rule: 'A5',
    what: 'what it cannot look at',
    edit: 'alter table stamps rename to stamps_by_hand',
    also: ['B1', 'B11', 'B12', 'B2', 'B3', 'B6', 'B7', 'B8', 'E1', 'E3', 'E4', 'E5'],
    says: /whether this holds cannot be seen: no server stamps in an outage, and one stamps at its end \(.*stamps/,
  },
  {
    rule: 'V2',
    what: 'a payload that PostgreSQL cannot take apart',
    only: 'postgres',
    edit: `update events set payload = replace(payload, '"last_activity"', '"\\u0000"') where ${WARNING_OF_DAN}`,
    also: ['E4', 'V1'],
    says: /whether this holds cannot be seen: a payload tells the place and the instant of its event/,
  },
  {
    rule: 'V1',
    what: 'a credit_update that is missing',
    edit: `delete from events where seller_id = 'ann' and seq = 1`,
    also: ['V2'],
    says: /seller ann, movement 1: entry 1 is a grant of 20 at .*, and event 3 tells of a deduction of -1/,
  },
  {
    rule: 'V1',
    what: 'a newest entry that nobody was told of',
    edit: `delete from ledger_entries where id = (select max(id) from ledger_entries where seller_id = 'gus')`,
    also: ['B10', 'B2', 'B7'],
    says: /seller gus, movement 2: there is no entry, and event \d+ tells of a deduction of -1 for interval 0/,
  },
  {
    rule: 'V1',
    what: 'a start that is told of another instant',
    edit: moveEvent('stream_started', ENDED, 1),
    says: /run 1 of seller ann started at \S+, and that is told of 2026/,
  },
  {
    rule: 'V1',
    what: 'an end that is told with another reason',
    edit: `update events set payload = replace(payload, '"reason":"seller"', '"reason":"operator"') where kind = 'stream_ended'
      and payload like ${aboutRun(ENDED)}`,
    says: /run 1 of seller ann ended at \S+ by seller, but an end is told 1 times, of \S+ by operator/,
  },
  {
    rule: 'V1',
    what: 'a warning that was told otherwise',
    edit: "update runs set warned_at = warned_at - 1 where livestream_id = 'gus-show'",
    says: /live run \d+ of seller gus was warned at \S+, but was told of a warning at/,
  },
  {
    rule: 'V1',
    what: 'a final interval that was never told',
    edit: `update runs set final_told_interval = 0 where id = ${INACTIVE}`,
    says: /run \d+ of seller dan counts as told that interval 0 is its last, but there is no such event/,
  },
  {
    rule: 'E4',
    what: 'an event about a run that is over',
    edit: `insert into events select seller_id, (select last_seq + 1 from credit_accounts where seller_id = 'dan'), kind,
        occurred_at, replace(payload, '{"seq":' || seq || ',', '{"seq":' ||
        (select last_seq + 1 from credit_accounts where seller_id = 'dan') || ',')
        from events where ${WARNING_OF_DAN};
      update credit_accounts set last_seq = last_seq + 1 where seller_id = 'dan';`,
    says: /event \d+ of seller dan, inactivity_warning, is about run \d+, which ended with event \d+/,
  },
  {
    rule: 'E4',
    what: 'a deduction that is told after the end',
    edit: `update events set seq = -(paid + ended - seq),
        payload = replace(payload, '{"seq":' || seq || ',', '{"seq":' || (paid + ended - seq) || ',')
        from (select max(seq) filter (where kind = 'credit_update') as paid,
          max(seq) filter (where kind = 'stream_ended') as ended from events where seller_id = 'bob') as newest
        where seller_id = 'bob' and seq in (paid, ended);
      update events set seq = -seq where seq < 0;`,
    says: /event \d+ of seller bob, credit_update, is about run \d+, which ended with event \d+/,
  },
  {
    rule: 'A5',
    what: 'an outage that is none',
    edit: outage(-90_000, -87_000),
    says: /the outage from \S+ to \S+ is no longer than 3000 ms/,
  },
  {
    rule: 'A5',
    what: 'outages that overlap',
    edit: outage(-90_000, -80_000) + outage(-81_000, -70_000),
    says: /the outage from \S+ to \S+ begins in that from/,
  },
  {
    rule: 'A5',
    what: 'a stamp in an outage',
    edit: "insert into stamps select began_at + 1, 'server' from outages limit 1",
    says: /the outage from \S+ to \S+ has a stamp at/,
  },
]
