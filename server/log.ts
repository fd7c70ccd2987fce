import { createRequire } from 'node:module'
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from './settings.js'

/** The program's log: `log.info({ runId }, 'Run ended')`, one JSON object a line. */
export type Log = Logger

// P1: a token is never in a log. What a caller writes into the text of a message is not looked at. Wildcards two deep would
// cost 15 µs a line instead of 7, so the places where tokens come in are named.
const SECRETS = ['token', 'authorization', 'cookie', 'secret'].flatMap((name) => [name, `*.${name}`])
const PLACES = [
  'req.headers.authorization',
  'req.headers.cookie',
  'handshake.auth.token',
  'handshake.headers.authorization',
  'handshake.headers.cookie',
  'socket.handshake.auth.token',
  'socket.handshake.headers.authorization',
  'socket.handshake.headers.cookie',
]

export interface LogOptions {
  readonly level: LogLevel
  /** For people instead of machines: coloured lines. */
  readonly pretty: boolean
}

/** Whether people read the log: standard output is a terminal, outside production. */
export function isReadByPeople(production: boolean): boolean {
  return process.stdout.isTTY === true && !production
}

/**
 * Makes the log. Fields named `token`, `authorization`, `cookie` and `secret` are shown as `[redacted]` at the top, a
 * level below it, and where a request (`req`) or a socket's handshake has them.
 *
 * @param output where the lines go; standard output where it is left out
 */
export function createLog({ level, pretty }: LogOptions, output: DestinationStream = destination(1)): Log {
  return pino(
    {
      level,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...SECRETS, ...PLACES], censor: '[redacted]' },
    },
    pretty ? prettyStream(output) : output,
  )
}

/** Loaded only where it is used: it would add a third to the start of a server that logs for machines. */
function prettyStream(output: DestinationStream): DestinationStream {
  const require = createRequire(import.meta.url)
  const { prettyFactory }: typeof import('pino-pretty') = require('pino-pretty')
  const format = prettyFactory({
    colorize: process.stdout.isTTY === true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
  })
  return { write: (line) => output.write(format(line)) }
}
