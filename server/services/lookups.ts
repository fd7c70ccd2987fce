import type { LedgerEntryView, LivestreamView, RunForecast } from '../../client-sdk/protocol/index.js'
import type { Clock } from '../clock.js'
import { permissionDenied, Refusal } from '../domain/errors.js'
import type { Run } from '../domain/run.js'
import { settle } from '../domain/settle.js'
import { forecasts } from '../domain/tally.js'
import { loadAccounts } from '../store/accounts.js'
import type { Db } from '../store/database.js'
import { listEntries } from '../store/ledger.js'
import { type Livestream, listLivestreams } from '../store/livestreams.js'
import { countLiveRuns, lastRuns, loadLiveRuns } from '../store/runs.js'
import { readOnce } from '../store/transact.js'
import type { Identity } from '../tokens.js'
import { existingLivestream, lastRunOf } from './livestreams.js'
import type { Metering } from './metering.js'
import type { Presence } from './presence.js'
import { sweepOnce } from './sweep.js'
import { entryView, livestreamView } from './views.js'

export interface Page<T> {
  readonly items: T[]
  /** Asks for the next page; null where this is the last. */
  readonly next_cursor: string | null
}

export interface CreditsView {
  readonly seller_id: string
  readonly balance: number
  /** The newest sequence of the seller's events. */
  readonly seq: number
  /** Every live run, and until when the credits last. */
  readonly runs: RunForecast[]
}

export interface MonitorStatus {
  readonly running: boolean
  /** The longest that the sweep sleeps; null where it is off. */
  readonly check_interval_seconds: number | null
  readonly live_count: number
  /** The first of them, in the order of their ids; `GET /api/livestreams/?status=live` lists all. */
  readonly live: LivestreamView[]
}

/** What may be read: sellers read their own, services and operators anybody's (N). */
export interface Lookups {
  livestream(id: string, by: Identity): Promise<LivestreamView>
  livestreams(
    by: Identity,
    query: { sellerId?: string | undefined; liveOnly: boolean; cursor: string; limit: number },
  ): Promise<Page<LivestreamView>>
  credits(by: Identity, sellerId?: string): Promise<CreditsView>
  ledger(
    by: Identity,
    query: { sellerId?: string | undefined; before: number; limit: number },
  ): Promise<Page<LedgerEntryView>>
  livestreamLedger(id: string, by: Identity, query: { before: number; limit: number }): Promise<Page<LedgerEntryView>>
  monitorStatus(by: Identity): Promise<MonitorStatus>
}

export interface LookupsParts {
  readonly metering: Metering
  readonly presence: Presence
  readonly clock: Clock
  readonly sweepIntervalMs: number | null
}

const STATUS_LISTS = 100

export function createLookups({ metering, presence, clock, sweepIntervalMs }: LookupsParts): Lookups {
  const { db } = metering

  async function readable(id: string, by: Identity): Promise<Livestream> {
    const livestream = await existingLivestream(db, id)
    if (by.role === 'seller' && by.sub !== livestream.sellerId) throw permissionDenied()
    return livestream
  }

  async function views(tx: Db, livestreams: readonly Livestream[]): Promise<LivestreamView[]> {
    const sellerIds = [...new Set(livestreams.map(({ sellerId }) => sellerId))]
    const connected = await presence.connectedAmong(sellerIds, tx)
    const runs = await lastRuns(
      tx,
      livestreams.map(({ id }) => id),
    )
    const live = await loadLiveRuns(tx, sellerIds)
    const accounts = new Map((await loadAccounts(tx, sellerIds)).map((account) => [account.sellerId, account]))
    const tallies = new Map(
      sellerIds.map((sellerId) => {
        const account = accounts.get(sellerId) ?? { sellerId, balance: 0, lastSeq: 0 }
        // Everything due is settled already, so this only forecasts; an instant before all of them decides nothing.
        return [
          sellerId,
          settle(
            account,
            live.filter((run) => run.sellerId === sellerId),
            [],
            0,
          ),
        ]
      }),
    )
    return livestreams.flatMap((livestream) => {
      const tally = tallies.get(livestream.sellerId)
      const run: Run | null = runs.get(livestream.id) ?? null
      return tally ? [livestreamView(livestream, run, tally, connected.has(livestream.sellerId))] : []
    })
  }

  async function list(query: {
    sellerId?: string | undefined
    liveOnly: boolean
    cursor: string
    limit: number
  }): Promise<Page<LivestreamView>> {
    await sweepOnce(metering, clock)
    return readOnce(db, async (tx) => {
      const found = await listLivestreams(tx, query, query.cursor, query.limit + 1)
      const items = await views(tx, found.slice(0, query.limit))
      return { items, next_cursor: found.length > query.limit ? (items.at(-1)?.id ?? null) : null }
    })
  }

  async function entries(
    of: { sellerId: string; livestreamId?: string },
    before: number,
    limit: number,
  ): Promise<Page<LedgerEntryView>> {
    return metering.readSeller(of.sellerId, async (tx) => {
      const found = await listEntries(tx, of, before, limit + 1)
      const items = found.slice(0, limit).map(entryView)
      return { items, next_cursor: found.length > limit ? String(items.at(-1)?.id) : null }
    })
  }

  return {
    async livestream(id, by) {
      const livestream = await readable(id, by)
      return metering.readSeller(livestream.sellerId, async (tx, tally) => {
        const connected = await presence.connectedAmong([livestream.sellerId], tx)
        return livestreamView(livestream, await lastRunOf(tx, tally, id), tally, connected.has(livestream.sellerId))
      })
    },
    async livestreams(by, query) {
      const sellerId = by.role === 'seller' ? sellerAsked(by, query.sellerId) : query.sellerId
      return list({ ...query, sellerId })
    },
    async credits(by, wanted) {
      const sellerId = sellerAsked(by, wanted)
      const { tally } = await metering.tallyOf(sellerId)
      return { seller_id: sellerId, balance: tally.balance, seq: tally.account.lastSeq, runs: forecasts(tally) }
    },
    ledger: async (by, { sellerId, before, limit }) => entries({ sellerId: sellerAsked(by, sellerId) }, before, limit),
    async livestreamLedger(id, by, { before, limit }) {
      const { sellerId } = await readable(id, by)
      return entries({ sellerId, livestreamId: id }, before, limit)
    },
    async monitorStatus(by) {
      if (by.role !== 'operator') throw permissionDenied()
      const { items } = await list({ liveOnly: true, cursor: '', limit: STATUS_LISTS })
      return {
        running: sweepIntervalMs !== null,
        check_interval_seconds: sweepIntervalMs === null ? null : sweepIntervalMs / 1000,
        live_count: await countLiveRuns(db),
        live: items,
      }
    },
  }
}

/** Whose account is asked for: a seller's own, or whom a service or an operator names. */
function sellerAsked(by: Identity, wanted: string | undefined): string {
  if (by.role === 'seller') {
    if (wanted !== undefined && wanted !== by.sub) throw permissionDenied()
    return by.sub
  }
  if (wanted === undefined) {
    throw new Refusal('invalid_request', 'seller_id: name the seller, as ?seller_id=…', { field: 'seller_id' })
  }
  return wanted
}
