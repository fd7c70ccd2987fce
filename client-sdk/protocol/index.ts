/** The wire contract between a Tallylight server and its clients (SPEC.md, sections H, N, P and S). */
export * from './errors.js'
export * from './events.js'
export * from './reasons.js'
export * from './socket.js'
export * from './version.js'
export * from './views.js'
