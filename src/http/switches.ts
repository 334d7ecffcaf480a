/** What is set by hand, beside the plan: agencies closed until a time, and the city's surge mode. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Locked } from '../dialplan/lock.ts'
import { NotAudited } from '../dialplan/switching.ts'
import { lasting, NotSwitched, type SwitchOrder } from '../plan/switching.ts'
import type { Switch, Switches } from '../plan/switches.ts'
import type { SignedBy } from '../records/tables.ts'
import { Refusal } from './faults.ts'
import { Fault, NoQuery } from './schemas.ts'

export interface SwitchesOptions {
  switches: {
    now: () => Switches
    /** Does it, and has the service follow; throws as `setSwitches` does. */
    set: (order: SwitchOrder, signedBy: SignedBy) => Promise<Switches>
  }
}

const one = {
  until: Type.Integer({ description: 'When it ends by itself, Unix time in ms.' }),
  reason: Type.String(), who: Type.Optional(Type.String({ description: 'Who set it.' }))
}
const Set = Type.Object({
  closed: Type.Array(Type.Object({ agency: Type.String(), ...one }), { description: 'Agencies that are closed by hand.' }),
  siaga: Type.Optional(Type.Object(one, { description: 'Surge mode; missing while it is off.' }))
}, { title: 'Switches' })
const line = (most: number, description: string) => Type.String({ minLength: 1, maxLength: most, pattern: '^[^\\p{C}]+$', description })
const who = Type.Optional(line(100, 'Who wants it; kept in the audit. Left out with a token of one\'s own.'))
const On = Type.Object({
  who, reason: line(200, 'Why; kept in the audit, and in the records of the calls.'),
  until: Type.String({ maxLength: 40, description: 'The end: `2027-03-20 18:00` on the plan\'s clock, or ISO 8601 with a zone.' })
}, { title: 'SwitchOn', examples: [{ reason: 'Banjir.', until: '2027-03-20 18:00' }], additionalProperties: false })
const Off = Type.Object({ who, reason: Type.Optional(line(200, 'Why; kept in the audit.')) }, { additionalProperties: false })
const Agency = Type.Object({ agency: Type.String({ maxLength: 40, description: 'By its name in the plan.' }) })

const response = { 200: Set, 400: Fault, 401: Fault, 404: Fault, 409: Fault, 503: Fault }
const about = { tags: ['plan'], security: [{ token: [] }] }
const holds = 'It holds for the next call, and ends by itself.'

export const switchesRoutes: FastifyPluginAsyncTypebox<SwitchesOptions> = async (app, { switches }) => {
  const set = async ({ who, ...rest }: Omit<SwitchOrder, 'who'> & { who?: string }, { asker, log }: Pick<FastifyRequest, 'asker' | 'log'>) => {
    const order = { ...rest, who: asker.who(who) }
    try {
      return shown(await switches.set(order, asker.signedBy))
    } catch (error) {
      if (error instanceof NotSwitched) throw new Refusal({ unknown: 404, impossible: 409, 'bad-request': 400 }[error.why], error.why === 'unknown' ? 'not-found' : error.why, error.message)
      if (error instanceof Locked) throw new Refusal(409, 'locked', error.message)
      if (!(error instanceof NotAudited)) throw error
      log.error({ err: error, who: order.who, what: order.what }, 'a switch is set, and does not stand in the audit')
      return shown(error.switches)
    }
  }

  app.get('/switches', { config: { desk: true }, schema: { operationId: 'getSwitches', summary: 'What is set by hand', ...about, querystring: NoQuery, response } },
    async () => shown(switches.now()))

  app.put('/switches/closed/:agency', { schema: { operationId: 'closeAgency', summary: 'Closes an agency until a time: its callers go to its `closed` node', description: holds, ...about, querystring: NoQuery, params: Agency, body: On, response } },
    async request => set({ what: 'close', ...request.params, ...request.body }, request))

  app.delete('/switches/closed/:agency', { schema: { operationId: 'openAgency', summary: 'The plan\'s hours hold again', ...about, querystring: Off, params: Agency, response } },
    async request => set({ what: 'open', ...request.params, ...request.query }, request))

  app.put('/switches/siaga', { schema: { operationId: 'startSiaga', summary: 'Surge mode until a time: all calls begin at the plan\'s siaga entry', description: holds, ...about, querystring: NoQuery, body: On, response } },
    async request => set({ what: 'siaga', ...request.body }, request))

  app.delete('/switches/siaga', { schema: { operationId: 'endSiaga', summary: 'Surge mode is over', ...about, querystring: Off, response } },
    async request => set({ what: 'normal', ...request.query }, request))
}

function shown(all: Switches) {
  const { closed, siaga } = lasting(all, Date.now())
  const facts = ({ until, reason, who }: Switch) => ({ until, reason, ...who === undefined ? {} : { who } })
  return { closed: [...closed].map(([agency, one]) => ({ agency, ...facts(one) })), ...siaga ? { siaga: facts(siaga) } : {} }
}
