import { readFile } from 'node:fs/promises'
import { register } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import { transform } from 'esbuild'

// Runs TypeScript as `npm run build` leaves it: node --import ./bench/as-built.mjs FILE.ts
// tsx, which everything else here is run by, keeps the names of functions by a call each time that a closure is made: a tenth of what
// charging takes (bench/punctuality.ts), which nobody has who runs the program.

if (isMainThread) register(import.meta.url)

/** A module that is imported as .js is where it is written as .ts. */
export async function resolve(specifier, context, next) {
  const isOurs = /^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts')
  if (!isOurs) return next(specifier, context)
  return next(specifier.replace(/js$/, 'ts'), context).catch(() => next(specifier, context))
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context)
  const sourcefile = new URL(url)
  const { code } = await transform(await readFile(sourcefile, 'utf8'), {
    loader: 'ts',
    format: 'esm',
    target: 'es2023',
    sourcefile: sourcefile.pathname,
    sourcemap: 'inline',
  })
  return { format: 'module', source: code, shortCircuit: true }
}
