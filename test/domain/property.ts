import * as fc from 'fast-check'

/**
 * Tries a property on this many random inputs, or on as many as `FC_RUNS` says, and throws when one breaks it. The
 * message has the smallest such input and the seed that finds it again.
 */
export function holds<Inputs>(property: fc.IProperty<Inputs>, numRuns: number): void {
  const options = { numRuns: Number(process.env['FC_RUNS'] ?? numRuns), includeErrorInReport: true }
  // The properties here are synchronous, and then so is this.
  void fc.assert(property, options)
}
