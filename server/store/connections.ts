import { sql } from 'kysely'
import type { Instant } from '../domain/instant.js'
import type { Db } from './database.js'
import { isOneOf, rowsOf } from './dialect.js'

/** Writes how many sockets each of these sellers holds on a server. */
export async function saveConnections(db: Db, serverId: string, counts: ReadonlyMap<string, number>): Promise<void> {
  await sql`
    delete from connections where server_id = ${serverId}
      and ${isOneOf(db, sql`seller_id`, counts.keys())}`.execute(db)
  const held = [...counts].filter(([, sockets]) => sockets > 0)
  if (held.length === 0) return
  await sql`
    insert into connections (server_id, seller_id, sockets)
    select ${serverId}, seller_id, sockets from ${rowsOf(db, { seller_id: 'text', sockets: 'bigint' }, held)}`.execute(
    db,
  )
}

/** Forgets all connections of a server. */
export async function forgetConnections(db: Db, serverId: string): Promise<void> {
  await sql`delete from connections where server_id = ${serverId}`.execute(db)
}

/** Forgets the connections of servers that have not stamped since an instant: they died, or left long ago. */
export async function dropStaleConnections(db: Db, since: Instant): Promise<void> {
  await sql`
    delete from connections where server_id not in (select server_id from stamps where at >= ${since})`.execute(db)
}

/** Those of these sellers that hold a socket on another server than this, which stamped at or after an instant. */
export async function connectedSellers(
  db: Db,
  sellerIds: Iterable<string>,
  exceptServerId: string,
  since: Instant,
): Promise<Set<string>> {
  const { rows } = await sql<{ seller_id: string }>`
    select distinct seller_id from connections
    where ${isOneOf(db, sql`seller_id`, sellerIds)} and server_id <> ${exceptServerId}
      and exists (select 1 from stamps where stamps.server_id = connections.server_id and stamps.at >= ${since})`.execute(
    db,
  )
  return new Set(rows.map((row) => row.seller_id))
}
