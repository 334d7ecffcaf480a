/** What an admin asks of the switches, and what becomes of them: the command and the API ask the same. */
import { DateTime } from 'luxon'
import { didYouMean, quote, thereAre } from './faults.ts'
import { momentIn } from './moment.ts'
import { agencies, type Plan } from './plan.ts'
import type { Switch, Switches } from './switches.ts'

export interface SwitchOrder {
  /** `close` and `open` are about an agency, `siaga` and `normal` about the city. */
  what: string
  agency?: string
  /** `2027-03-20 18:00` on the plan's clock, or ISO 8601 with a zone. */
  until?: string
  reason?: string
  who: string
}

/** What was asked makes no sense; nothing has changed. `why` is a word for programs. */
export class NotSwitched extends Error {
  override name = 'NotSwitched'
  readonly why: 'unknown' | 'impossible' | 'bad-request'

  constructor(why: NotSwitched['why'], sentence: string) {
    super(sentence)
    this.why = why
  }
}

/** The switches after an order, without those that have ended. `now` is Unix time in ms. What is set ends without a plan, too. Throws `NotSwitched`. */
export function switched(plan: Plan | undefined, before: Switches, order: SwitchOrder, now: number): Switches {
  const { closed, siaga } = lasting(before, now)
  const { what, agency = '' } = order
  switch (what) {
    case 'close':
      if (agencyOf(plan, agency).closed === undefined) throw new NotSwitched('impossible', `${agency} cannot be closed: the plan does not say where its callers would go — give it a \`closed\` node`)
      return { closed: new Map([...closed, [agency, until(plan!, order, now)]]), ...siaga ? { siaga } : {} }
    case 'open':
      if (!closed.has(agency)) agencyOf(plan, agency)
      return { closed: new Map([...closed].filter(([id]) => id !== agency)), ...siaga ? { siaga } : {} }
    case 'siaga':
      if (!plan?.siaga) throw new NotSwitched('impossible', 'the plan has no siaga: say there at which node all calls begin while it is on')
      return { closed, siaga: until(plan, order, now) }
    case 'normal': return { closed }
    default: throw new NotSwitched('bad-request', `${quote(what)} is none of close, open, siaga, normal`)
  }
}

/** Those that have not ended. */
export const lasting = ({ closed, siaga }: Switches, now: number): Switches =>
  ({ closed: new Map([...closed].filter(([, { until }]) => now < until)), ...siaga && now < siaga.until ? { siaga } : {} })

/** `close wali-kota until 2027-03-20T11:00:00.000Z: Banjir`, for the audit. */
export function orderInWords({ what, agency, reason }: SwitchOrder, { closed, siaga }: Switches): string {
  const end = what === 'close' ? closed.get(agency!)?.until : what === 'siaga' ? siaga?.until : undefined
  return [what, ...agency === undefined ? [] : [agency], ...end === undefined ? [] : [`until ${new Date(end).toISOString()}`]].join(' ') + (reason?.trim() ? `: ${reason.trim()}` : '')
}

function agencyOf(plan: Plan | undefined, agency: string) {
  if (!plan) throw new NotSwitched('unknown', `${quote(agency)} is not closed by hand`)
  const known = agencies(plan).map(({ id }) => id)
  const node = agencies(plan).find(({ id }) => id === agency)
  if (!node) throw new NotSwitched('unknown', `${quote(agency)} is no agency of the plan — ${didYouMean(agency, known) ?? thereAre(known)}`)
  return node
}

function until({ timezone }: Plan, { until, reason, who }: SwitchOrder, now: number): Switch {
  const end = until !== undefined && /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d/.test(until) ? momentIn(timezone, until) : undefined
  if (end === undefined) throw new NotSwitched('bad-request', `until ${until === undefined ? 'is missing' : `is ${quote(until)}`}: a date and a time of ${timezone}, as in "2027-03-20 18:00"; no switch lasts for ever`)
  if (end <= now) throw new NotSwitched('bad-request', `until is ${quote(until!)}, which is over`)
  if (!reason?.trim()) throw new NotSwitched('bad-request', 'reason is missing: it stands in the records of the calls')
  return { until: end, reason: reason.trim(), who }
}
