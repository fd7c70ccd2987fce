import { type Kysely, sql } from 'kysely'

/**
 * The first schema. What must never be wrong is held here and not by the program (SPEC.md B, E, V): the balance moves
 * only by ledger entries, entries are never changed or deleted, an interval is deducted once, a livestream has one live
 * run, an end is final, and a seller's events have no gaps. Instants are UTC milliseconds, credits whole numbers.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `create table credit_accounts (
    seller_id text primary key,
    balance integer not null default 0 check (balance between 0 and 9007199254740991),
    last_seq integer not null default 0 check (last_seq >= 0),
    created_at integer not null
  ) strict, without rowid`,

  `create table livestreams (
    id text primary key check (length(id) between 1 and 128),
    seller_id text not null,
    title text not null,
    created_at integer not null
  ) strict`,
  'create index livestreams_of_seller on livestreams (seller_id, id)',

  `create table runs (
    id integer primary key autoincrement,
    livestream_id text not null references livestreams (id),
    seller_id text not null references credit_accounts (seller_id),
    started_at integer not null,
    ended_at integer check (ended_at >= started_at),
    end_reason text check (end_reason in ('seller', 'inactivity', 'credits_exhausted', 'operator')),
    interval_ms integer not null check (interval_ms > 0),
    warning_ms integer not null check (warning_ms > 0),
    auto_end_ms integer not null check (auto_end_ms > warning_ms),
    low_credit_threshold integer not null check (low_credit_threshold >= 0),
    refund_grace_ms integer not null check (refund_grace_ms >= 0),
    billed_intervals integer not null check (billed_intervals >= 0),
    paid_interval integer check (paid_interval < billed_intervals),
    credits_consumed integer not null default 0 check (credits_consumed >= 0),
    last_activity_at integer not null check (last_activity_at >= started_at),
    silent_since integer not null check (silent_since >= last_activity_at),
    warned_at integer,
    final_told_interval integer,
    due_at integer,
    check ((ended_at is null) = (end_reason is null)),
    check ((ended_at is null) = (due_at is not null))
  ) strict`,
  // E2
  'create unique index runs_one_live on runs (livestream_id) where ended_at is null',
  'create index runs_due on runs (due_at, id) where ended_at is null',
  'create index runs_live_of_seller on runs (seller_id, id) where ended_at is null',
  'create index runs_warned on runs (id) where ended_at is null and warned_at is not null',
  'create index runs_of_livestream on runs (livestream_id, id)',
  // E4: what may still change is what was consumed, by a refund.
  `create trigger runs_end_is_final before update on runs when old.ended_at is not null and (
      new.ended_at is not old.ended_at or new.end_reason is not old.end_reason or new.started_at <> old.started_at
      or new.billed_intervals <> old.billed_intervals or new.last_activity_at <> old.last_activity_at
      or new.silent_since <> old.silent_since or new.warned_at is not old.warned_at)
    begin select raise(abort, 'E4: an ended run is never changed'); end`,

  `create table ledger_entries (
    id integer primary key autoincrement,
    seller_id text not null references credit_accounts (seller_id),
    kind text not null check (kind in ('grant', 'deduction', 'refund', 'adjustment')),
    amount integer not null check (amount <> 0),
    balance_after integer not null check (balance_after >= 0),
    livestream_id text references livestreams (id),
    run_id integer references runs (id),
    interval_index integer check (interval_index >= 0),
    idempotency_key text,
    request text,
    corrects integer references ledger_entries (id),
    reason text,
    occurred_at integer not null,
    created_at integer not null,
    check (kind <> 'grant' or amount > 0),
    check (kind <> 'deduction' or (amount = -1 and run_id is not null and interval_index is not null)),
    check (kind <> 'refund' or (amount = 1 and corrects is not null and idempotency_key is not null)),
    check (kind in ('deduction', 'refund') or (run_id is null and idempotency_key is not null))
  ) strict`,
  // B5, B8, B10
  `create unique index ledger_one_deduction on ledger_entries (run_id, interval_index) where kind = 'deduction'`,
  'create unique index ledger_idempotency on ledger_entries (seller_id, idempotency_key) where idempotency_key is not null',
  'create unique index ledger_one_correction on ledger_entries (corrects) where corrects is not null',
  'create index ledger_of_seller on ledger_entries (seller_id, id)',
  'create index ledger_of_livestream on ledger_entries (livestream_id, id) where livestream_id is not null',
  // B3, B7: an entry moves the balance, and nothing else can.
  `create trigger ledger_fits before insert on ledger_entries
    when new.balance_after <> (select balance from credit_accounts where seller_id = new.seller_id) + new.amount
    begin select raise(abort, 'B7: an entry starts from the balance of its account'); end`,
  `create trigger ledger_moves_balance after insert on ledger_entries begin
    update credit_accounts set balance = new.balance_after where seller_id = new.seller_id;
    update runs set credits_consumed = credits_consumed - new.amount where id = new.run_id;
  end`,
  `create trigger accounts_follow_ledger before update of balance on credit_accounts
    when new.balance <> coalesce(
      (select balance_after from ledger_entries where seller_id = new.seller_id order by id desc limit 1), 0)
    begin select raise(abort, 'B7: the balance moves by ledger entries only'); end`,
  `create trigger accounts_start_empty before insert on credit_accounts when new.balance <> 0 or new.last_seq <> 0
    begin select raise(abort, 'B7: an account starts empty'); end`,

  `create table events (
    seller_id text not null references credit_accounts (seller_id),
    seq integer not null,
    kind text not null check (kind in ('stream_started', 'credit_update', 'low_credit_warning', 'inactivity_warning',
      'inactivity_cleared', 'stream_ended')),
    occurred_at integer not null,
    payload text not null,
    primary key (seller_id, seq)
  ) strict, without rowid`,
  // V2
  `create trigger events_without_gaps before insert on events
    when new.seq <> (select last_seq + 1 from credit_accounts where seller_id = new.seller_id)
    begin select raise(abort, 'V2: an event follows the last one'); end`,
  `create trigger events_move_sequence after insert on events
    begin update credit_accounts set last_seq = new.seq where seller_id = new.seller_id; end`,

  `create table stamps (
    at integer not null,
    server_id text not null,
    primary key (at, server_id)
  ) strict, without rowid`,
  'create index stamps_of_server on stamps (server_id, at)',
  // A5
  `create table outages (
    began_at integer primary key,
    ended_at integer not null check (ended_at > began_at + 3000)
  ) strict`,
  'create index outages_by_end on outages (ended_at)',
  `create table connections (
    server_id text not null,
    seller_id text not null,
    sockets integer not null check (sockets > 0),
    primary key (seller_id, server_id)
  ) strict, without rowid`,

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
