import type { MoveRequest } from '../server/services/credits.js'
import { ask, askedOf, askToMove, type StreamAct } from './ask.js'
import { readNewest } from './books.js'
import { type Cluster, startCluster } from './cluster.js'
import { Crash } from './crashes.js'
import type { WorldDatabase } from './database.js'
import type { Answer, Asked, Fact, Facts, IntervalName } from './facts.js'
import { type History, type Moment, unroll } from './history.js'
import { identity, type Node, StillWaiting } from './node.js'

/** A history that was lived through, on a cluster whose database still stands. */
export interface Played {
  readonly cluster: Cluster
  readonly facts: Facts
}

type SellerMoment = Extract<Moment, { seller: number }>
type MoveAct = Extract<SellerMoment['act'], { kind: 'move' | 'refund' }>

/** A request to move credits, as it is sent and as the auditor reads it. */
interface Move {
  readonly request: MoveRequest
  readonly corrects: IntervalName | 'nothing' | null
}

/** A command that waits for a stamp. */
interface Waiting {
  readonly seller: string
  readonly move: Move
  readonly crashAfter: number | null
  atMs: number
}

interface Seller {
  readonly name: string
  readonly facts: Fact[]
  keys: number
  lastMove: Move | null
}

/** An id that no entry has. */
const NO_ENTRY = 999_999_999_999

export function sellerName(seller: number): string {
  return `seller-${seller}`
}

/**
 * Plays a history against real services on a real database.
 * @param onProgress hears now and then how much of true time has passed
 */
export async function play(
  history: History,
  world: WorldDatabase,
  onProgress: (trueMs: number) => void = () => undefined,
): Promise<Played> {
  const cluster = await startCluster(world, history.nodes)
  const sellers: Seller[] = history.sellers.map((_, seller) => ({
    name: sellerName(seller),
    facts: [],
    keys: 0,
    lastMove: null,
  }))
  const streams = new Set<string>()
  const waiting: Waiting[] = []
  const moments = unroll(history)

  function sellerOf({ seller }: SellerMoment): Seller {
    const found = sellers[seller]
    if (!found) throw new Error(`there is no seller ${seller}`)
    return found
  }

  async function streamOf(node: Node, seller: Seller, stream: number): Promise<string> {
    const id = `${seller.name}-${stream}`
    if (!streams.has(id)) {
      streams.add(id)
      await node.livestreams.create({ title: id, id, sellerId: seller.name }, identity('host', 'service'))
    }
    return id
  }

  /** Waits for an answer, and writes it down as a fact. What crashed is none. */
  async function answered(seller: Seller, asked: Asked, answer: Promise<Answer>): Promise<boolean> {
    const at = cluster.time.clock.now()
    try {
      seller.facts.push({ at, asked, answer: await answer })
      return true
    } catch (error) {
      if (error instanceof StillWaiting) throw error
      if (error instanceof Crash) cluster.counts.crashes += 1
      else cluster.faults.push(`${seller.name}, ${asked.kind} at ${at}: ${error}`)
      return false
    }
  }

  async function heard(moment: SellerMoment, node: Node): Promise<void> {
    const seller = sellerOf(moment)
    const { act, crashAfter } = moment
    if (act.kind === 'move' || act.kind === 'refund') {
      const move = await moveOf(seller, act)
      const asked = askedToMove(move, node.policy.lowCreditThreshold)
      node.crashAfter(crashAfter)
      const done = await answered(seller, asked, askToMove(node.move(move.request)))
      node.crashAfter(null)
      await cluster.observe(done ? 'a settling server' : 'a server')
      return
    }
    const id = await streamOf(node, seller, act.stream)
    node.crashAfter(crashAfter)
    const done = await answered(seller, askedOf(node, act, id), ask(node, seller.name, act, id))
    node.crashAfter(null)
    await cluster.observe(done && settles(act) ? 'a settling server' : 'a server')
  }

  /** A ping in a batch settles nothing, a check only where something is due, and a stranger is turned away first. */
  function settles(act: StreamAct): boolean {
    return act.kind === 'start' || (act.kind === 'end' && act.by !== 'stranger')
  }

  async function moveOf(seller: Seller, act: MoveAct): Promise<Move> {
    const last = seller.lastMove
    const move = act.kind === 'refund' ? await refundOf(seller, act) : moveCreditsOf(seller, act, last)
    seller.lastMove = move
    return move
  }

  function moveCreditsOf(seller: Seller, act: Extract<MoveAct, { kind: 'move' }>, last: Move | null): Move {
    if (last && act.key === 'again') return last
    if (last && act.key === 'other request') {
      return { ...last, request: { ...last.request, amount: last.request.amount * 2 } }
    }
    return { request: requestOf(seller, act.amount), corrects: null }
  }

  async function refundOf(seller: Seller, act: Extract<MoveAct, { kind: 'refund' }>): Promise<Move> {
    const kind = act.fault === 'no deduction' ? 'grant' : 'deduction'
    const entry = (await readNewest(cluster.db, seller.name, kind, act.back + 1)).at(-1)
    const name: IntervalName | null =
      entry?.runId != null && entry.interval !== null ? { runId: entry.runId, interval: entry.interval } : null
    return {
      request: { ...requestOf(seller, act.fault === 'amount' ? 2 : 1), corrects: entry?.id ?? NO_ENTRY },
      corrects: name ?? 'nothing',
    }
  }

  function requestOf(seller: Seller, amount: number): MoveRequest {
    seller.keys += 1
    return { sellerId: seller.name, amount, idempotencyKey: `key ${seller.keys}`, reason: 'simulated' }
  }

  async function command(one: Waiting): Promise<void> {
    const seller = sellers.find(({ name }) => name === one.seller)
    if (!seller) return
    const asked = askedToMove(one.move, COMMAND_THRESHOLD)
    cluster.commands.crashAfter(one.crashAfter)
    try {
      await answered(seller, asked, askToMove(cluster.commands.move(one.move.request)))
    } catch (error) {
      if (!(error instanceof StillWaiting)) throw error
      cluster.counts.commandsThatWaited += 1
      waiting.push({ ...one, crashAfter: null, atMs: cluster.nextStampAt() })
      waiting.sort((a, b) => a.atMs - b.atMs)
    } finally {
      cluster.commands.crashAfter(null)
    }
    await cluster.observe('a command')
  }

  async function happen(wave: readonly Moment[]): Promise<void> {
    const [first] = wave
    if (!first) return
    if (first.seller === null) return cluster.happen(first.act, first.crashAfter)
    if (isCommand(first)) {
      const seller = sellerOf(first)
      const { act, crashAfter, atMs } = first
      if (act.kind !== 'move') return
      return command({ seller: seller.name, move: await moveOf(seller, act), crashAfter, atMs })
    }
    const byNode = new Map<Node, SellerMoment[]>()
    for (const moment of wave) {
      if (moment.seller === null) continue
      const node = cluster.node(moment.node)
      if (!node) cluster.counts.unheard += 1
      else byNode.set(node, [...(byNode.get(node) ?? []), moment])
    }
    for (const [node, moments] of byNode) await Promise.all(moments.map((moment) => heard(moment, node)))
  }

  try {
    for (let next = 0; next < moments.length || waiting.length > 0; ) {
      const moment = moments[next]
      const [one] = waiting
      if (one && (!moment || one.atMs <= moment.atMs)) {
        waiting.shift()
        await cluster.goTo(one.atMs)
        await command(one)
        continue
      }
      if (!moment) break
      if (next % 1_000 === 0) onProgress(moment.atMs)
      const wave = waveAt(moments, next)
      next += wave.length
      await cluster.goTo(moment.atMs)
      await happen(wave)
    }
    await cluster.goTo(history.untilMs)
    await cluster.finish()
  } catch (error) {
    await cluster.close()
    throw error
  }
  return {
    cluster,
    facts: {
      sellers: new Map(sellers.map(({ name, facts }) => [name, facts])),
      written: cluster.written,
      stamped: cluster.stamped,
      sweptPromptly: cluster.sweptPromptly,
      until: cluster.time.clock.now(),
    },
  }
}

/** The threshold of the settings that commands run with. */
const COMMAND_THRESHOLD = 2

function askedToMove({ request, corrects }: Move, lowCreditThreshold: number): Asked {
  return { kind: 'move', amount: request.amount, key: request.idempotencyKey, lowCreditThreshold, corrects }
}

function isCommand({ act }: SellerMoment): boolean {
  return act.kind === 'move' && act.through === 'command'
}

/** What happens at once: requests of different sellers at one instant. Whatever crashes is on its own. */
function waveAt(moments: readonly Moment[], from: number): Moment[] {
  const wave: Moment[] = []
  const sellers = new Set<number>()
  for (let at = from; at < moments.length; at += 1) {
    const moment = moments[at]
    if (!moment || moment.atMs !== moments[from]?.atMs) break
    const alone = moment.seller === null || moment.crashAfter !== null || isCommand(moment)
    if (alone || sellers.has(moment.seller)) return wave.length === 0 ? [moment] : wave
    sellers.add(moment.seller)
    wave.push(moment)
  }
  return wave
}
