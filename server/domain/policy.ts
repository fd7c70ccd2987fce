/** What a run is metered by: copied into it at its start, so that changed settings touch later runs only. */
export interface Policy {
  readonly intervalMs: number
  readonly warningMs: number
  readonly autoEndMs: number
  readonly lowCreditThreshold: number
  readonly refundGraceMs: number
}

/**
 * The policy with its times divided, to watch in minutes what takes hours.
 * @param timeScale a whole number, at least 1
 */
export function scaledPolicy(policy: Policy, timeScale: number): Policy {
  const scaled = (ms: number): number => Math.floor(ms / timeScale)
  return {
    intervalMs: scaled(policy.intervalMs),
    warningMs: scaled(policy.warningMs),
    autoEndMs: scaled(policy.autoEndMs),
    lowCreditThreshold: policy.lowCreditThreshold,
    refundGraceMs: scaled(policy.refundGraceMs),
  }
}
