/** What a world lived through. */
export interface Counts {
  nodesKilled: number
  nodesRestarted: number
  allDown: number
  leaps: number
  clocksSetBack: number
  sweeps: number
  monitorPasses: number
  crashes: number
  /** Asked while nobody was there. */
  unheard: number
  commandsThatWaited: number
}

export function noCounts(): Counts {
  return {
    nodesKilled: 0,
    nodesRestarted: 0,
    allDown: 0,
    leaps: 0,
    clocksSetBack: 0,
    sweeps: 0,
    monitorPasses: 0,
    crashes: 0,
    unheard: 0,
    commandsThatWaited: 0,
  }
}
