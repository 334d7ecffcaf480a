/**
 * Names of the plan that Asterisk would take for something else, or for another's: each may be right in itself. Part of check.ts.
 * A node's, a line's and a mailbox's name stands behind a word of its own (`agency-bpbd`); a trunk's is a section of pjsip.conf, an
 * agency's an extension of `[callback-agency]`.
 */
import type { Draft, Report } from './draft.ts'
import { quote } from './faults.ts'

/** Sections of pjsip.conf that are there whatever the plan says: asterisk-config/pjsip.conf, and what the set-up adds to it. */
export const sectionsOfPjsip: readonly string[] = ['global', 'system', 'transport-udp', 'last-resort']

/** Extensions that Asterisk runs by itself: at a hang-up (h), when nobody presses a key (t), … (pbx.h; PBX documentation, "Special extensions"). */
const special: readonly string[] = ['a', 'e', 'failed', 'fax', 'h', 'i', 'o', 's', 't', 'talk']

export function namesInAsterisk({ trunks, agencies }: Draft, report: Report) {
  for (const name of trunks?.keys() ?? []) {
    if (sectionsOfPjsip.includes(name)) report(['trunks', name], 'is a section of asterisk-config/pjsip.conf already: Asterisk would load no trunk at all', 'give it another name')
  }
  const taken = new Map<string, string>()
  for (const name of agencies?.keys() ?? []) {
    const seen = name.replaceAll('-', '')                       // Asterisk passes over hyphens in an extension
    const other = taken.get(seen)
    if (seen === '' || special.includes(seen)) report(['agencies', name], `means something of its own to Asterisk${seen === name ? '' : ', which passes over hyphens'}`, 'give it a longer name')
    else if (other !== undefined) report(['agencies', name], `differs from ${quote(other)} in hyphens alone, which Asterisk passes over: a callback for one would ring the other`, 'give it another name')
    else taken.set(seen, name)
  }
}
