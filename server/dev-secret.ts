import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SetupError } from './domain/errors.js'
import type { JwtConfig, TokenKeys } from './jwt-config.js'
import type { DatabaseConfig } from './settings.js'

const SECRET = /^[0-9a-f]{64}$/

/**
 * The keys to verify tokens by: those that are configured, or else the development secret. That one is a random text of
 * 64 characters in the file `dev-jwt-secret` beside the database, readable by its owner only, and made where it is not
 * there. Its text is what `JWT_SECRET` would be, for an application that is to sign tokens for this server. A database
 * in memory gets a secret of its own at every call.
 *
 * @throws SetupError where the file cannot be read or made, or holds something else
 */
export function withDevSecret(keys: JwtConfig, database: DatabaseConfig): TokenKeys {
  if (keys.kind !== 'dev_secret') return keys
  const text = database.kind === 'sqlite' && database.file === ':memory:' ? newSecret() : keptSecret(fileFor(database))
  return Object.freeze({ ...keys, kind: 'secret', key: keyOf(text) })
}

/** Beside SQLite's file; for PostgreSQL in the folder where SQLite's would be. */
function fileFor(database: DatabaseConfig): string {
  return join(database.kind === 'sqlite' ? dirname(database.file) : 'data', 'dev-jwt-secret')
}

function newSecret(): string {
  return randomBytes(32).toString('hex')
}

function keyOf(text: string): KeyObject {
  return createSecretKey(Buffer.from(text))
}

function keptSecret(file: string): string {
  try {
    return readSecret(file) ?? makeSecret(file)
  } catch (error) {
    if (error instanceof SetupError) throw error
    throw new SetupError(
      `The development secret ${file} cannot be read or made (${codeOf(error)}); set JWT_SECRET instead`,
    )
  }
}

function readSecret(file: string): string | null {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
  if (SECRET.test(text)) return text
  throw new SetupError(`${file} does not hold a development secret; delete it, and a new one is made`)
}

/**
 * Written under another name first, then linked: the file is either not there or whole, and a server and a command that
 * start at once agree on the one that was linked first.
 */
function makeSecret(file: string): string {
  mkdirSync(dirname(file), { recursive: true })
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  const text = newSecret()
  try {
    writeFileSync(draft, `${text}\n`, { mode: 0o600, flag: 'wx' })
    linkSync(draft, file)
    return text
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    return readSecret(file) ?? makeSecret(file)
  } finally {
    rmSync(draft, { force: true })
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
