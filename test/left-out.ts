/** Why tests of this file were left out, once for each: the runner tells them (run.ts). */
export const leftOut: string[] = []
