import { cpSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

// The seller page into dist/page/: one script, one style sheet, nothing from elsewhere. The SDK's React hooks run on Preact.

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
mkdirSync(here('../dist/page/'), { recursive: true })
await build({
  entryPoints: { page: here('main.tsx') },
  outdir: here('../dist/page'),
  bundle: true,
  minify: true,
  sourcemap: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  alias: {
    '@tallylight/client/react': here('../client-sdk/src/react.ts'),
    '@tallylight/client': here('../client-sdk/src/index.ts'),
    react: 'preact/compat',
  },
  logLevel: 'warning',
})
for (const file of ['index.html', 'page.css', 'tallylight.svg']) cpSync(here(file), here(`../dist/page/${file}`))
