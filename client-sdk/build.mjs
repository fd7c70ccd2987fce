import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

// The one file for a page without a bundler: dist/tallylight.global.js, with all that it needs. The modules are tsc's.

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
await build({
  entryPoints: [here('src/global.ts')],
  outfile: here('dist/tallylight.global.js'),
  bundle: true,
  minify: true,
  sourcemap: true,
  format: 'iife',
  globalName: 'Tallylight',
  target: 'es2022',
  logLevel: 'warning',
})
