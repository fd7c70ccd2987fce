import { sql } from 'kysely'
import { LONGEST_GAP_MS } from '../../domain/outage.js'
import { check, shown } from './check.js'

interface OutageRow {
  began_at: number
  ended_at: number
}

const named = ({ began_at, ended_at }: OutageRow) => `the outage from ${shown(began_at)} to ${shown(ended_at)}`

/**
 * A5: outages are gaps between stamps, and long enough. Whether one is missing cannot be seen, since old stamps are
 * dropped.
 */
export const OUTAGES = [
  check(
    'A5',
    'an outage is longer than the longest gap that is none',
    sql<OutageRow>`select * from outages where not coalesce(ended_at - began_at > ${LONGEST_GAP_MS}, false)`,
    (row) => `${named(row)} is no longer than ${LONGEST_GAP_MS} ms`,
  ),

  check(
    'A5',
    'outages do not overlap',
    sql<OutageRow & { before: number; ended_before: number }>`
      select * from (
        select *, lag(began_at) over by_time as before, lag(ended_at) over by_time as ended_before
        from outages window by_time as (order by began_at)) as by_time
      where began_at < ended_before`,
    (row) => `${named(row)} begins in that from ${shown(row.before)} to ${shown(row.ended_before)}`,
  ),

  check(
    'A5',
    'no server stamps in an outage, and one stamps at its end',
    sql<OutageRow & { at: number; server_id: string }>`
      select began_at, ended_at, at, server_id from outages join stamps on at > began_at and at < ended_at
      union all
      select began_at, ended_at, null, null from outages as o where not exists (select 1 from stamps where at >= o.ended_at)`,
    (row) => `${named(row)} has ${row.at === null ? 'no stamp at or after its end' : `a stamp at ${shown(row.at)}`}`,
  ),
]
