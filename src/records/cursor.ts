/** Where a list goes on: opaque to its reader, checked when it comes back. */
import { text } from './tables.ts'

export interface Place { arrivedAt: number, callId: string }

/** The cursor is none of ours. Its message can be shown to whoever sent it. */
export class BadCursor extends Error {
  override name = 'BadCursor'
}

export const toCursor = ({ arrivedAt, callId }: Place) => Buffer.from(JSON.stringify([arrivedAt, callId])).toString('base64url')

/** Throws `BadCursor`. */
export function fromCursor(cursor: string): Place {
  try {
    const [arrivedAt, callId, ...rest] = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Number.isSafeInteger(arrivedAt) && typeof callId === 'string' && rest.length === 0) return { arrivedAt, callId: text(callId) }
  } catch {}
  throw new BadCursor('This cursor was not made by this service: start again without one.')
}
