import { fileURLToPath } from 'node:url'
import express, { type RequestHandler } from 'express'

/** From dist/server/transport/rest/ to dist/page/. */
const FOLDER = fileURLToPath(new URL('../../../page/', import.meta.url))

/** The seller page at `/`, as the build made it. */
export function pageFiles(): RequestHandler {
  return express.static(FOLDER, { index: 'index.html', maxAge: 0 })
}
