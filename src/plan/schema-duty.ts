/** What keeps a line from being rung until a time. Part of schema.ts. */
import { Type, type Static } from 'typebox'
import { dayOrTime, text } from './schema-words.ts'

export const OutOfService = Type.Object({
  until: dayOrTime('The last day, or the time at which it rings again; both by the clock of the plan’s zone'),
  why: text('For people to read')
}, { description: 'The line is not rung until then, and is rung again afterwards by itself' })
export type OutOfService = Static<typeof OutOfService>
