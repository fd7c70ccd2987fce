/** Of the first schema, what holds the rules that no constraint can: SQLite's triggers. */
export function sqliteGuards(): string[] {
  return [
    // E4: what may still change is what was consumed, by a refund.
    `create trigger runs_end_is_final before update on runs when old.ended_at is not null and (
        new.ended_at is not old.ended_at or new.end_reason is not old.end_reason or new.started_at <> old.started_at
        or new.billed_intervals <> old.billed_intervals or new.last_activity_at <> old.last_activity_at
        or new.silent_since <> old.silent_since or new.warned_at is not old.warned_at)
      begin select raise(abort, 'E4: an ended run is never changed'); end`,

    // B3, B7: an entry moves the balance, and nothing else can.
    `create trigger ledger_fits before insert on ledger_entries
      when new.balance_after <> (select balance from credit_accounts where seller_id = new.seller_id) + new.amount
      begin select raise(abort, 'B7: an entry starts from the balance of its account'); end`,
    `create trigger ledger_moves_balance after insert on ledger_entries
      begin update credit_accounts set balance = new.balance_after where seller_id = new.seller_id; end`,
    `create trigger ledger_follows_run after insert on ledger_entries
      when new.interval_index >= (select billed_intervals from runs where id = new.run_id)
      begin select raise(abort, 'B2: an interval is deducted once its run has come to it'); end`,
    `create trigger accounts_follow_ledger before update of balance on credit_accounts
      when new.balance <> coalesce(
        (select balance_after from ledger_entries where seller_id = new.seller_id order by id desc limit 1), 0)
      begin select raise(abort, 'B7: the balance moves by ledger entries only'); end`,
    `create trigger accounts_start_empty before insert on credit_accounts when new.balance <> 0 or new.last_seq <> 0
      begin select raise(abort, 'B7: an account starts empty'); end`,

    // V2
    `create trigger events_without_gaps before insert on events
      when new.seq <> (select last_seq + 1 from credit_accounts where seller_id = new.seller_id)
      begin select raise(abort, 'V2: an event follows the last one'); end`,
    `create trigger events_move_sequence after insert on events
      begin update credit_accounts set last_seq = new.seq where seller_id = new.seller_id; end`,

    // B7, E5: nothing is deleted, and facts are not rewritten.
    ...['credit_accounts', 'livestreams', 'runs', 'ledger_entries', 'outages'].map(
      (table) => `create trigger ${table}_are_kept before delete on ${table}
      begin select raise(abort, 'E5: nothing is deleted'); end`,
    ),
    ...['ledger_entries', 'outages', 'events'].map(
      (table) => `create trigger ${table}_are_not_rewritten before update on ${table}
      begin select raise(abort, 'B7: a correction is a new entry'); end`,
    ),
  ]
}
