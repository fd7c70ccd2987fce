import type { Policy } from '../server/domain/policy.js'
import type { Db } from '../server/store/database.js'
import { readEarliestDue, readNewestStamp } from './books.js'
import { type Counts, noCounts } from './counts.js'
import { Crash } from './crashes.js'
import type { WorldDatabase } from './database.js'
import type { Span, Written } from './facts.js'
import type { AtomicWorldAct } from './history.js'
import { type Commands, makeCommands, makeNode, type Node, type OnOutcome } from './node.js'
import { stampRecord } from './stamp-record.js'
import { type WorldTime, worldTime } from './world-time.js'

const MINUTE = 60_000

/** With what nodes are started. The last one begins intervals more often than it warns of silence. */
const SETTINGS: readonly [Policy, ...Policy[]] = [
  policy({ interval: 30, warning: 10, autoEnd: 15, lowCreditThreshold: 2, refundGrace: 0 }),
  policy({ interval: 30, warning: 10, autoEnd: 15, lowCreditThreshold: 2, refundGrace: 5 }),
  policy({ interval: 20, warning: 8, autoEnd: 12, lowCreditThreshold: 0, refundGrace: 30 }),
  policy({ interval: 5, warning: 10, autoEnd: 15, lowCreditThreshold: 3, refundGrace: 2 }),
]

function policy(of: {
  interval: number
  warning: number
  autoEnd: number
  lowCreditThreshold: number
  refundGrace: number
}): Policy {
  return {
    intervalMs: of.interval * MINUTE,
    warningMs: of.warning * MINUTE,
    autoEndMs: of.autoEnd * MINUTE,
    lowCreditThreshold: of.lowCreditThreshold,
    refundGraceMs: of.refundGrace * MINUTE,
  }
}

interface Slot {
  readonly name: string
  node: Node | null
  hangs: boolean
  upSince: number
  pulseMs: number
  settings: number
}

/** Nodes and commands on one database and one clock, and the passing of time between what people do. */
export interface Cluster {
  readonly time: WorldTime
  readonly commands: Commands
  /** For reading what is committed. */
  readonly db: Db
  readonly counts: Counts
  readonly written: ReadonlyMap<string, readonly Written[]>
  readonly stamped: readonly Span[]
  readonly sweptPromptly: readonly Span[]
  /** What is wrong at sight. */
  readonly faults: string[]
  /** Lets time pass, in which nodes stamp, and sweep as they are told to. */
  goTo(trueMs: number): Promise<void>
  /** One of the nodes that hear. */
  node(choice: number): Node | null
  happen(act: AtomicWorldAct, crashAfter: number | null): Promise<void>
  /** Learns what a transaction has stamped. Whoever acts on a server has stamped now (A5), and commands never do. */
  observe(by: 'a settling server' | 'a server' | 'a command'): Promise<void>
  /** When a command that waits for a stamp should look again. */
  nextStampAt(): number
  /** Whatever happened, a server is up in the end, and settles everything up to now. */
  finish(): Promise<void>
  close(): Promise<void>
}

export async function startCluster(world: WorldDatabase, nodes: number): Promise<Cluster> {
  const time = worldTime()
  const { clock } = time
  const stamps = stampRecord()
  const counts = noCounts()
  const faults: string[] = []
  const sweptPromptly: { from: number; to: number }[] = []
  const written = new Map<string, Written[]>()
  const onOutcome: OnOutcome = ({ sellerId, events }) => {
    if (events.length === 0) return
    const before = written.get(sellerId) ?? []
    before.push({ at: clock.now(), kinds: events.map(({ kind }) => kind) })
    written.set(sellerId, before)
  }
  const reader = await world.open()
  const commands = makeCommands(await world.open(), clock, SETTINGS[0], onOutcome)
  const slots: Slot[] = Array.from({ length: nodes }, (_, index) => ({
    name: `node-${index}`,
    node: null,
    hangs: false,
    // Pulses of different nodes fall between each other, and beside whole seconds.
    upSince: -123 - 377 * index,
    pulseMs: 1_000,
    settings: index % SETTINGS.length,
  }))
  let sweepLateMs: number | null = 0
  let turn = 0

  function up(): (Slot & { node: Node })[] {
    return slots.filter((slot): slot is Slot & { node: Node } => slot.node !== null && !slot.hangs)
  }

  function slotAt(choice: number): Slot {
    const slot = slots[choice % slots.length]
    if (!slot) throw new Error('a cluster has a node')
    return slot
  }

  function node(choice: number): Node | null {
    const nodesUp = up()
    return nodesUp[choice % Math.max(1, nodesUp.length)]?.node ?? null
  }

  async function observe(by: Parameters<Cluster['observe']>[0]): Promise<void> {
    const newest = await readNewestStamp(reader.db)
    const now = clock.now()
    if (newest !== stamps.newest) {
      if (newest !== now || by === 'a command') faults.push(`A5: ${by} stamped ${newest} at ${now}`)
      stamps.add(newest ?? now)
    }
    if (by === 'a settling server' && newest !== now) faults.push(`A5: ${by} has not stamped at ${now}`)
  }

  async function start(slot: Slot): Promise<void> {
    const settings = SETTINGS[slot.settings % SETTINGS.length] ?? SETTINGS[0]
    slot.node = makeNode(await world.open(), clock, slot.name, settings, onOutcome)
    slot.hangs = false
    if (time.now() > 0) slot.upSince = time.now()
    await slot.node.pulse()
    await observe('a settling server')
  }

  async function stop(slot: Slot): Promise<void> {
    await slot.node?.close()
    slot.node = null
  }

  /** The pulses of a node after one instant of true time and up to another. */
  function pulses({ upSince, pulseMs }: Slot, after: number, upTo: number): { first: number; last: number } | null {
    const first = upSince + (Math.floor((after - upSince) / pulseMs) + 1) * pulseMs
    const last = upSince + Math.floor((upTo - upSince) / pulseMs) * pulseMs
    return last > after ? { first, last } : null
  }

  async function stampUntil(trueMs: number): Promise<void> {
    const due = up().flatMap((slot) => {
      const found = pulses(slot, time.now(), trueMs)
      return found ? [{ node: slot.node, ...found }] : []
    })
    const [first] = due.toSorted((a, b) => a.first - b.first)
    const [last] = due.toSorted((a, b) => b.last - a.last)
    if (first && last) {
      time.goTo(first.first)
      // Nobody has stamped for long: this pulse tells the program so. The later ones follow each other closely, and then only the newest matters (A5).
      if (clock.now() - stamps.newest > 3_000) {
        await first.node.pulse()
        await observe('a settling server')
      }
      time.goTo(last.last)
      if (clock.now() > stamps.newest) {
        await last.node.stampAt(clock.now())
        stamps.goOnTo(clock.now())
      }
    }
    time.goTo(trueMs)
  }

  async function pulseNow(): Promise<void> {
    const by = node(0)
    if (!by) return
    await by.pulse()
    await observe('a settling server')
  }

  async function sweep(by: Node, crashAfter: number | null): Promise<void> {
    counts.sweeps += 1
    await crashing(by, crashAfter, () => by.sweep())
    await observe('a server')
  }

  async function crashing(
    who: Pick<Node, 'crashAfter'>,
    crashAfter: number | null,
    work: () => Promise<void>,
  ): Promise<void> {
    who.crashAfter(crashAfter)
    try {
      await work()
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      counts.crashes += 1
    } finally {
      who.crashAfter(null)
    }
  }

  /** When a node will sweep by itself. */
  async function nextSweepAt(): Promise<number | null> {
    if (sweepLateMs === null || up().length === 0) return null
    const due = await readEarliestDue(reader.db)
    return due === null ? null : Math.max(time.now(), time.whenShows(due) + sweepLateMs)
  }

  async function goTo(trueMs: number): Promise<void> {
    const from = clock.now()
    const spansBefore = stamps.spans.length
    const prompt = sweepLateMs === 0 && up().length > 0 && from - stamps.newest <= 3_000
    for (;;) {
      const at = await nextSweepAt()
      await stampUntil(Math.min(at ?? trueMs, trueMs))
      const by = node(turn)
      if (at === null || at > trueMs || !by) break
      turn += 1
      await sweep(by, null)
      const left = await readEarliestDue(reader.db)
      if (left !== null && left <= clock.now()) {
        faults.push(`a sweep at ${clock.now()} left what was due at ${left}`)
        sweepLateMs = null
      }
    }
    if (!prompt || outageSince(spansBefore)) return
    const last = sweptPromptly.at(-1)
    if (last?.to === from) last.to = clock.now()
    else sweptPromptly.push({ from, to: clock.now() })
  }

  function outageSince(spans: number): boolean {
    return stamps.spans
      .slice(spans)
      .some(({ from }, index) => from - (stamps.spans[spans + index - 1]?.to ?? 0) > 3_000)
  }

  async function happen(act: AtomicWorldAct, crashAfter: number | null): Promise<void> {
    switch (act.kind) {
      case 'kill': {
        const slot = slotAt(act.node)
        if (!slot.node) return
        counts.nodesKilled += 1
        return stop(slot)
      }
      case 'restart': {
        const slot = slotAt(act.node)
        counts.nodesRestarted += 1
        await stop(slot)
        slot.settings = act.settings
        slot.pulseMs = act.pulseMs
        return start(slot)
      }
      case 'down':
        counts.allDown += 1
        if (act.justStamped) await pulseNow()
        for (const slot of slots) {
          if (act.how === 'killed') await stop(slot)
          else slot.hangs = true
        }
        return
      case 'up':
        for (const slot of slots) slot.hangs = false
        if (up().length > 0) return
        for (const slot of slots) await start(slot)
        return
      case 'leap':
        counts.leaps += 1
        return time.setWall(act.ms)
      case 'set back':
        counts.clocksSetBack += 1
        return time.setWall(-act.ms)
      case 'sweeps':
        sweepLateMs = act.lateMs
        return
      case 'sweep': {
        const by = node(act.node)
        return by ? sweep(by, crashAfter) : undefined
      }
      case 'monitor':
        counts.monitorPasses += 1
        await crashing(commands, crashAfter, () => commands.monitor())
        return observe('a command')
    }
  }

  for (const slot of slots) await start(slot)
  return {
    time,
    commands,
    db: reader.db,
    counts,
    written,
    stamped: stamps.spans,
    sweptPromptly,
    faults,
    goTo,
    node,
    happen,
    observe,
    nextStampAt() {
      const next = up().map((slot) => pulses(slot, time.now(), time.now() + slot.pulseMs)?.first ?? time.now())
      // Without a node the outage is there, and open, 3 s after the last stamp.
      return next.length > 0 ? Math.min(...next) : time.whenShows(stamps.newest + 3_001)
    },
    async finish() {
      await happen({ kind: 'up' }, null)
      await pulseNow()
      const by = node(0)
      if (!by) throw new Error('a node is up')
      await sweep(by, null)
    },
    async close() {
      for (const slot of slots) await stop(slot)
      await commands.close()
      await reader.close()
      await world.drop()
    },
  }
}
