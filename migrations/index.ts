import type { Migration } from 'kysely'
import { up as initial } from './0001-initial.js'

/** Every migration by its name, in order. A static list: reading the folder breaks on Windows with ES modules. */
export const MIGRATIONS: Record<string, Migration> = {
  '0001-initial': { up: initial },
}
