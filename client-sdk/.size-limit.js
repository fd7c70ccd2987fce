// The budgets, gzipped. What is measured is what a page's own bundler makes of the package: ES modules, minified.

const bundled = (entry) => ({ gzip: true, modifyEsbuildConfig: (config) => ({ ...config, format: 'esm' }), ...entry })

export default [
  bundled({
    name: 'the SDK, without socket.io-client',
    path: 'dist/src/index.js',
    import: '{ createCreditMeter }',
    // Loaded by itself, and only where a page wants it: it has a budget of its own.
    ignore: ['socket.io-client', './shared-line.js'],
    limit: '6 kB',
  }),
  bundled({
    name: "what multiTab: 'shared' loads",
    path: 'dist/src/shared-line.js',
    import: '{ createSharedLine }',
    ignore: ['./direct-line.js', './errors.js', './rest-link.js'],
    limit: '1 kB',
  }),
  { name: 'the one file, with socket.io-client', path: 'dist/tallylight.global.js', gzip: true, limit: '21 kB' },
]
