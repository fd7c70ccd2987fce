import { MeterError } from '@tallylight/client'

/** `1 credit`, `2 credits`. */
export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}

/** Seconds as 1:02:03, or 2:03 where it is less than an hour. */
export function clockTime(seconds: number): string {
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  const two = (part: number) => String(part).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** What went wrong, and what to do about it. */
export function complaint(thrown: unknown): string {
  if (thrown instanceof MeterError) return `${thrown.message}. ${thrown.hint}`
  return thrown instanceof Error ? thrown.message : String(thrown)
}
