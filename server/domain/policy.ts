/** What a run is metered by: copied into it at its start, so that changed settings touch later runs only. */
export interface Policy {
  readonly intervalMs: number
  readonly warningMs: number
  readonly autoEndMs: number
  readonly lowCreditThreshold: number
  readonly refundGraceMs: number
}
