/** Plans anew each time: a plan that was made for one row and an empty table would be kept for a thousand and a full one. */
const PLANNED_ANEW = 'language plpgsql set plan_cache_mode = force_custom_plan'

/**
 * Of the first schema, what holds the rules that no constraint can: PostgreSQL's triggers. Where one statement writes the
 * rows of many sellers, its trigger runs once and looks at all of them. It counts what is wrong: asked whether there is any,
 * PostgreSQL plans to find one soon, and takes the square of the time to find none.
 */
export function postgresGuards(): string[] {
  return [
    // Where servers are joined by LISTEN and NOTIFY: what the adapter of Socket.IO puts aside when it is too long to notify.
    `create table socket_io_attachments (
      id bigserial unique, created_at timestamptz not null default now(), payload bytea
    )`,

    `create function refuse() returns trigger language plpgsql as $$
      begin raise exception '%', tg_argv[0] using errcode = 'integrity_constraint_violation'; end $$`,

    // E4: what may still change is what was consumed, by a refund.
    `create trigger runs_end_is_final before update on runs for each row
      when (old.ended_at is not null and (
        new.ended_at is distinct from old.ended_at or new.end_reason is distinct from old.end_reason
        or new.started_at <> old.started_at or new.billed_intervals <> old.billed_intervals
        or new.last_activity_at <> old.last_activity_at or new.silent_since <> old.silent_since
        or new.warned_at is distinct from old.warned_at))
      execute function refuse('E4: an ended run is never changed')`,

    // B3, B7: an entry moves the balance, and nothing else can. Only an account that still has the balance from which its
    // entries start is updated, and holds whoever else would move it, so that what is checked is so.
    `create function ledger_moves_balance() returns trigger ${PLANNED_ANEW} as $$
      declare entries bigint; sellers bigint; moved bigint;
      begin
        select count(*), count(distinct seller_id) into entries, sellers from added;
        if entries > sellers and 0 < (
          select count(*) from (
            select balance_after - amount as balance_before,
              lag(balance_after) over (partition by seller_id order by id) as balance_left
            from added) as entry
          where balance_before <> balance_left) then
          raise exception 'B7: an entry starts from the balance of its account'
            using errcode = 'integrity_constraint_violation';
        end if;
        if 0 < (
          select count(*) from added as e join runs as r on r.id = e.run_id
          where e.interval_index >= r.billed_intervals) then
          raise exception 'B2: an interval is deducted once its run has come to it'
            using errcode = 'integrity_constraint_violation';
        end if;
        update credit_accounts as a set balance = newest.balance_after
          from (
            select distinct on (seller_id) seller_id, balance_after,
              balance_after - cast(sum(amount) over (partition by seller_id) as bigint) as balance_before
            from added order by seller_id, id desc) as newest
          where a.seller_id = newest.seller_id and a.balance = newest.balance_before;
        get diagnostics moved = row_count;
        if moved <> sellers then
          raise exception 'B7: an entry starts from the balance of its account'
            using errcode = 'integrity_constraint_violation';
        end if;
        return null;
      end $$`,
    `create trigger ledger_moves_balance after insert on ledger_entries
      referencing new table as added for each statement execute function ledger_moves_balance()`,
    // Not where the trigger above moves them.
    `create function accounts_follow_ledger() returns trigger ${PLANNED_ANEW} as $$
      begin
        if 0 < (
          select count(*) from after as a join before as b on b.seller_id = a.seller_id
          where a.balance <> b.balance and a.balance <> coalesce(
            (select balance_after from ledger_entries as e where e.seller_id = a.seller_id order by id desc limit 1), 0)) then
          raise exception 'B7: the balance moves by ledger entries only' using errcode = 'integrity_constraint_violation';
        end if;
        return null;
      end $$`,
    `create trigger accounts_follow_ledger after update on credit_accounts
      referencing old table as before new table as after for each statement when (pg_trigger_depth() = 0)
      execute function accounts_follow_ledger()`,
    `create trigger accounts_start_empty before insert on credit_accounts for each row
      when (new.balance <> 0 or new.last_seq <> 0) execute function refuse('B7: an account starts empty')`,

    // V2. What an account has told so far and the numbers of its events, no two of which are the same, are without gaps.
    `create function events_move_sequence() returns trigger ${PLANNED_ANEW} as $$
      declare sellers bigint; moved bigint;
      begin
        update credit_accounts as a set last_seq = newest.last
          from (
            select seller_id, min(seq) as first, max(seq) as last, count(*) as told from added group by seller_id
            order by seller_id) as newest
          where a.seller_id = newest.seller_id and newest.first = a.last_seq + 1 and newest.last = a.last_seq + newest.told;
        get diagnostics moved = row_count;
        select count(distinct seller_id) into sellers from added;
        if moved <> sellers then
          raise exception 'V2: an event follows the last one' using errcode = 'integrity_constraint_violation';
        end if;
        return null;
      end $$`,
    `create trigger events_move_sequence after insert on events
      referencing new table as added for each statement execute function events_move_sequence()`,

    // B7, E5: nothing is deleted, and facts are not rewritten.
    ...['credit_accounts', 'livestreams', 'runs', 'ledger_entries', 'outages'].flatMap((table) => [
      `create trigger ${table}_are_kept before delete on ${table} for each statement
        execute function refuse('E5: nothing is deleted')`,
      `create trigger ${table}_are_not_emptied before truncate on ${table} for each statement
        execute function refuse('E5: nothing is deleted')`,
    ]),
    ...['ledger_entries', 'outages', 'events'].map(
      (table) => `create trigger ${table}_are_not_rewritten before update on ${table} for each row
        execute function refuse('B7: a correction is a new entry')`,
    ),
  ]
}
