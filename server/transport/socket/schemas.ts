import * as z from 'zod'
import { livestreamId } from '../validate.js'

export const handshakeAuth = z.looseObject({ token: z.string().default('') })
export const subscribeRequest = z.strictObject({
  livestream_id: livestreamId,
  after: z.int().min(0).optional(),
})
export const livestreamRequest = z.strictObject({ livestream_id: livestreamId })
export const startRequest = livestreamRequest.extend({ time_scale: z.int().min(1).max(1_000).default(1) })
export const renewRequest = z.strictObject({ token: z.string().min(1, 'must not be empty') })
