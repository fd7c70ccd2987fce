import type { RequestParamHandler } from 'express'
import { Refusal } from '../../domain/errors.js'
import { isLivestreamId } from '../../domain/livestream-id.js'

/** What is no id of a livestream is the id of none, and the database is not asked. */
export const livestreamIdsOnly: RequestParamHandler = (_req, _res, next, id: string) => {
  next(isLivestreamId(id) ? undefined : new Refusal('livestream_not_found', 'Livestream not found'))
}
