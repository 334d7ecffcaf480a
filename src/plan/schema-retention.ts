/** How long the plan has things kept that are about citizens. Part of schema.ts; records/retention.ts does it. */
import { Type, type Static } from 'typebox'
import { duration } from './schema-words.ts'

const time = (otherwise: string, description: string) => duration({ default: otherwise, atLeast: '1 day', atMost: '3650 days', description: `${description}; ${otherwise} if left out` })
const day = 86_400_000

export const Retention = Type.Object({
  recordings: time('90 days', 'How long after it was left a caller\'s message is kept'),
  messages: time('365 days', 'How long after a follow-up has ended the messages to the citizen, and what they have answered, are kept')
}, { default: { recordings: 90 * day, messages: 365 * day }, description: 'How long things are kept, never less than until their follow-up has ended; 90 days and 365 days if left out' })
export type Retention = Static<typeof Retention>
