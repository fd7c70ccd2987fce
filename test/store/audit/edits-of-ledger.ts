import { WITHOUT_STRICT } from '../../support/hand-edit.js'
import { HISTORY_BEGAN_AT } from '../../support/varied-history.js'
import { type Edit, ENDED, INACTIVE, LIVE, OPERATORS_REFUND, outage, runsOf } from './edit.js'

/** Of accounts and ledger entries. */
export const EDITS_OF_LEDGER: readonly Edit[] = [
  {
    rule: 'B1',
    what: 'half a credit',
    only: 'sqlite',
    edit: `${WITHOUT_STRICT} update credit_accounts set balance = balance + 0.5 where seller_id = 'ann'`,
    also: ['B7'],
    says: /the account of seller ann holds \d+\.5, which is no whole number/,
  },
  {
    rule: 'B1',
    what: 'a credit in words',
    only: 'sqlite',
    edit: `${WITHOUT_STRICT} update ledger_entries set balance_after = 'two' where id = 1`,
    also: ['B7', 'V1'],
    says: /entry 1 of seller ann holds 20 with balance two/,
  },
  {
    rule: 'B1',
    what: 'a balance past the largest exact number',
    only: 'postgres',
    edit: "update credit_accounts set balance = 9007199254740993 where seller_id = 'ann'",
    also: ['B7'],
    says: /the account of seller ann holds 9007199254740993, which is no whole number or past the largest exact one/,
  },
  {
    rule: 'B1',
    what: 'an entry past the largest exact number',
    only: 'postgres',
    edit: 'update ledger_entries set balance_after = 9007199254740993 where id = 1',
    also: ['B7', 'V1'],
    says: /whether this holds cannot be seen: the credits of an entry .* holds 9007199254740993, which is past/,
  },
  {
    rule: 'E5',
    what: 'accounts that were deleted',
    edit: "delete from credit_accounts where seller_id = 'gus'",
    says: /the events of seller gus name the account of seller gus, which does not exist/,
  },
  {
    rule: 'B3',
    what: 'an entry that leaves less than nothing',
    edit: 'update ledger_entries set balance_after = -1 where id = 1',
    also: ['B7', 'V1'],
    says: /entry 1 of seller ann has the balance -1/,
  },
  {
    rule: 'B1',
    what: 'an interval for two credits',
    edit: `update ledger_entries set amount = -2 where kind = 'deduction' and run_id = ${INACTIVE}`,
    also: ['B7', 'V1'],
    says: /entry \d+ of seller dan deducts -2 for interval 0 of run \d+, not -1/,
  },
  {
    rule: 'B3',
    what: 'a negative balance',
    edit: "update credit_accounts set balance = -3 where seller_id = 'ann'",
    also: ['B7'],
    says: /the account of seller ann has the balance -3/,
  },
  {
    rule: 'B7',
    what: 'a balance that no entry accounts for',
    edit: "update credit_accounts set balance = balance + 5 where seller_id = 'ann'",
    says: /the account of seller ann holds (\d+), but its entries come to (\d+)/,
  },
  {
    rule: 'B7',
    what: 'an entry that was changed',
    edit: "update ledger_entries set amount = 21 where seller_id = 'ann' and kind = 'grant'",
    also: ['B8', 'V1'],
    says: /entry 1 of seller ann moves 0 by 21 and leaves 20/,
  },
  {
    rule: 'B7',
    what: 'an entry that was deleted',
    edit: "delete from ledger_entries where seller_id = 'ann' and kind = 'adjustment'",
    also: ['V1'],
    says: /entry \d+ of seller ann moves \d+ by 1 and leaves \d+/,
  },
  {
    rule: 'B7',
    what: 'an adjustment that adds',
    edit: "update ledger_entries set kind = 'adjustment' where id = 1",
    also: ['V1'],
    says: /entry 1 of seller ann is a adjustment of 20/,
  },
  {
    rule: 'B7',
    what: 'a refund that corrects a grant',
    edit: `update ledger_entries set corrects = 1 where id = ${OPERATORS_REFUND}`,
    also: ['B10', 'B8'],
    says: /entry \d+ of seller ann, a refund, corrects entry 1, a grant of seller ann/,
  },
  {
    rule: 'B7',
    what: 'a refund that corrects nothing',
    edit: `update ledger_entries set corrects = null where id = ${OPERATORS_REFUND}`,
    also: ['B10', 'B8'],
    says: /entry \d+ of seller ann, a refund, corrects nothing/,
  },
  {
    rule: 'B4',
    what: 'an entry that is dated before the one before it',
    edit: "update ledger_entries set occurred_at = occurred_at - 100000 where kind = 'adjustment'",
    also: ['V1'],
    says: /entry \d+ of seller ann, of \S+, comes after entry \d+, of /,
  },
  {
    rule: 'B4',
    what: 'two runs that paid in the wrong order at one instant',
    edit: `drop index ledger_one_deduction;
      update ledger_entries set run_id = case livestream_id when 'cat-one' then (${runsOf('cat-two')}) else (${runsOf('cat-one')}) end,
        livestream_id = case livestream_id when 'cat-one' then 'cat-two' else 'cat-one' end
        where kind = 'deduction' and interval_index = 1 and livestream_id like 'cat-%';
      create unique index ledger_one_deduction on ledger_entries (run_id, interval_index) where kind = 'deduction';`,
    also: ['V1'],
    says: /entry \d+ of seller cat, of \S+, comes after entry \d+/,
  },
  {
    rule: 'B2',
    what: 'an entry that was written before it took effect',
    edit: `update ledger_entries set created_at = occurred_at - 1 where run_id = ${INACTIVE}`,
    says: /entry \d+ of seller dan, a deduction of \S+, was written at \S+ already/,
  },
  {
    rule: 'B8',
    what: 'a grant without a key',
    edit: 'update ledger_entries set idempotency_key = null where id = 1',
    says: /entry 1 of seller ann, a grant, has no key/,
  },
  {
    rule: 'B8',
    what: 'a key that made two entries',
    edit: `drop index ledger_idempotency;
      update ledger_entries set idempotency_key = 'client:key 1' where kind = 'adjustment';`,
    says: /seller ann: the key client:key 1 made entries 1,\d+/,
  },
  {
    rule: 'B8',
    what: 'an entry that is not what was asked for',
    edit: `update ledger_entries set request = '{"amount":21,"reason":"a test","corrects":null}' where id = 1`,
    says: /entry 1 of seller ann is a grant of 20, but its request was {"amount":21/,
  },
  {
    rule: 'B8',
    what: 'a request that is no JSON',
    edit: "update ledger_entries set request = 'lost' where id = 1",
    says: /entry 1 of seller ann is a grant of 20, but its request was lost/,
  },
  {
    rule: 'B10',
    what: 'a deduction that was given back twice',
    edit: `drop index ledger_one_correction;
      update ledger_entries set corrects = (select corrects from ledger_entries where id = ${OPERATORS_REFUND})
        where idempotency_key like 'program:%'`,
    says: /deduction \d+ is given back by entries \d+,\d+/,
  },
  {
    rule: 'B10',
    what: 'a refund of another interval',
    edit: `update ledger_entries set interval_index = 0 where id = ${OPERATORS_REFUND}`,
    also: ['V1'],
    says: /entry \d+ of seller ann gives back 1 for entry \d+, which took -1, or names another run or interval/,
  },
  {
    rule: 'B10',
    what: 'a refund by the program that nobody earned',
    edit: `update ledger_entries set idempotency_key = 'program:refund:' || run_id || ':' || interval_index,
      request = null where id = ${OPERATORS_REFUND}`,
    says: /entry \d+ of seller ann gives back interval 2 of run 1 at \S+, which was not due/,
  },
  {
    rule: 'B10',
    what: 'an end in the grace of an interval that was not given back',
    edit: "update runs set refund_grace_ms = 60000 where livestream_id = 'eve-show'",
    says: /deduction \d+ of seller eve is not given back, though run \d+ was ended at/,
  },
  {
    rule: 'B10',
    what: 'a run that has consumed what no entry says',
    edit: `update runs set credits_consumed = credits_consumed + 1 where id = ${ENDED}`,
    says: /run 1 of seller ann has consumed 3, but its entries come to 2/,
  },
  {
    rule: 'B10',
    what: 'a live run that would be given back what it never paid',
    edit: `update runs set paid_interval = 0 where id = ${LIVE}`,
    says: /live run \d+ of seller ann has 0 for its newest paid interval, but by the ledger it is \d+/,
  },
  {
    rule: 'B2',
    what: 'a start that was not paid for',
    edit: `delete from ledger_entries where run_id = ${INACTIVE}`,
    also: ['B10', 'B7', 'V1'],
    says: /run \d+ of seller dan, started at \S+, never paid for interval 0/,
  },
  {
    rule: 'B2',
    what: 'a deduction that drifts',
    edit: `update ledger_entries set occurred_at = occurred_at + 1, created_at = created_at + 1
      where run_id = ${ENDED} and interval_index = 1 and kind = 'deduction'`,
    also: ['V1'],
    says: /is for interval 1 of run 1, which begins at \S+:01:00.000Z, but is dated \S+:01:00.001Z/,
  },
  {
    rule: 'B2',
    what: 'a deduction for an interval that never began',
    edit: `update ledger_entries set interval_index = 50 where run_id = ${INACTIVE}`,
    also: ['V1'],
    says: /is for interval 50 of run \d+, of which 1 intervals have begun/,
  },
  {
    rule: 'B2',
    what: 'intervals that no outage waived any more',
    edit: 'delete from outages where ended_at - began_at > 60000',
    says: /run \d+ of seller eve: no deduction for its intervals 5 to 9, and outages waive 0 of them/,
  },
  {
    rule: 'B5',
    what: 'an interval that was deducted twice',
    edit: `drop index ledger_one_deduction; update ledger_entries set interval_index = 0
      where run_id = ${ENDED} and interval_index = 1 and kind = 'deduction'`,
    also: ['B2', 'V1'],
    says: /interval 0 of run 1 was deducted by entries \d+,\d+/,
  },
  {
    rule: 'B12',
    what: 'a deduction in an outage',
    edit: outage(20_000, 60_000),
    also: ['A5'],
    says: /is for interval 1 of run 1, which begins at \S+, in the outage from \S+:20.000Z to \S+:01:00.000Z/,
  },
  {
    rule: 'B12',
    what: 'a deduction long after the last stamp',
    edit: `delete from outages; delete from stamps where at > ${HISTORY_BEGAN_AT + 20_000}`,
    also: ['A2'],
    says: /is for interval 1 of run 1, which begins at \S+, in the outage from \S+:20.000Z on, which is open/,
  },
  {
    rule: 'B12',
    what: 'an end for want of credits in an outage',
    edit: outage(88_000, 121_000),
    also: ['A5'],
    says: /run \d+ of seller bob ended at \S+:02:00.000Z by credits_exhausted, in the outage from/,
  },
]
