/**
 * The version of the wire contract. It is raised when a client of the version before would misunderstand a server
 * of this one: a field or an event renamed, removed or given another meaning. New fields and events do not raise it.
 */
export const PROTOCOL_VERSION = 1
