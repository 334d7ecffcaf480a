/** Mailboxes: where a caller may leave a spoken message, and who may be led there. A mailbox is no human. Part of schema.ts and check.ts. */
import { Type, type Static } from 'typebox'
import { closedTo, offersCallback, type Draft, type Path, type Report } from './draft.ts'
import { didYouMean, listed, quote, thereAre } from './faults.ts'
import { duration, prompt, reference } from './schema-words.ts'

export const Mailbox = Type.Object({
  agency: Type.Optional(reference('Whom its messages are for; the agency that the caller chose, or the desk, if left out')),
  prompt: Type.String({ ...prompt, default: 'tinggalkan-pesan', description: 'Heard before the tone; tinggalkan-pesan if left out' }),
  longest: duration({ default: '60 s', atLeast: '10 s', atMost: '10 min', description: 'The longest message; 60 s if left out' })
})
export type Mailbox = Static<typeof Mailbox>

/** The agencies that mailboxes are for are there. */
export function mailboxAgencies({ mailboxes, agencies }: Draft, report: Report) {
  for (const [name, mailbox] of mailboxes ?? []) {
    const agency = mailbox?.agency
    if (agency === undefined || !agencies || agencies.has(agency)) continue
    report(['mailboxes', name, 'agency'], `${quote(agency)} is no agency`, didYouMean(agency, agencies.keys()) ?? thereAre(agencies.keys()))
  }
}

/**
 * Nobody comes to a mailbox, or to the offer of a callback for later, who wants a human now: only who has chosen it by a key, or an
 * office by a key that is closed. So neither silence, nor the beginning of a call, nor an overflow, nor an agency that is open at all
 * times leads to one, by whatever way.
 */
export function mailboxesAreNoHumans(plan: Draft, report: Report) {
  for (const [path, node] of wantsAHuman(plan)) {
    const way = wayToNobody(plan, node)
    if (!way) continue
    const steps = listed(way, { between: ' → ' })
    if (!plan.mailboxes?.has(way.at(-1)!)) report(path, `may end at the offer of a callback (${steps})`, 'an offer is no human: only a key may lead to an agency that makes one')
    else report(path, way.length === 1 ? `leads to the mailbox ${quote(node)}` : `may end at a mailbox (${steps})`, 'a mailbox is no human: a key may lead there, and `closed` of an agency that has hours and that no silence leads to')
  }
}

function* wantsAHuman({ numbers, menus, agencies, siaga }: Draft): Generator<[Path, string]> {
  for (const [did, number] of numbers ?? []) if (number?.entry !== undefined) yield [['numbers', did, 'entry'], number.entry]
  if (siaga?.entry !== undefined) yield [['siaga', 'entry'], siaga.entry]
  for (const [name, menu] of menus ?? []) if (menu?.silence !== undefined) yield [['menus', name, 'silence'], menu.silence]
  for (const [id, agency] of agencies ?? []) {
    const closed = closedTo(agency)
    if (closed !== undefined && !('hours' in agency!)) yield [['agencies', id, 'closed'], closed]
    for (const ladder of ['busy', 'dead'] as const) if (agency?.overflow?.[ladder] !== undefined) yield [['agencies', id, 'overflow', ladder], agency.overflow[ladder]]
  }
}

/**
 * From a node by closed agencies to a mailbox, or to one that offers a callback, all of them named; undefined where that is not where it
 * ends. Menus answer for themselves.
 */
function wayToNobody({ agencies, mailboxes }: Draft, node: string): string[] | undefined {
  const way: string[] = []
  for (let next: string | undefined = node; next !== undefined && !way.includes(next); next = closedTo(agencies?.get(next))) {
    way.push(next)
    if (mailboxes?.has(next) || offersCallback(agencies?.get(next))) return way
  }
  return undefined
}
