/** Writes docs/crash-matrix.md out of what was observed in a whole run. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { project } from '../../setup/project.mjs'
import type { Cell } from './cell.ts'
import { control, type Fault } from './faults.ts'
import type { Moment } from './moments.ts'

export async function writeTable({ faults, moments, cells }: { faults: readonly Fault[], moments: readonly Moment[], cells: readonly Cell[] }): Promise<void> {
  const at = (fault: string, moment: string) => cells.find(cell => cell.fault === fault && cell.moment === moment)!
  const row = (...texts: string[]) => `| ${texts.join(' | ')} |`
  const head = (...texts: string[]) => [row(...texts), row(...texts.map(() => '---'))]
  const remarkable = cells
    .filter(cell => cell.course !== 'as ever' || told(cell) !== told(at(control, cell.moment)) || cell.complaints.length > 0)
    .sort((a, b) => place(faults, a.fault) - place(faults, b.fault) || place(moments, a.moment) - place(moments, b.moment))
  const amiss = cells.filter(({ complaints }) => complaints.length > 0)

  const text = `# The crash matrix

What a caller experiences when something breaks in the middle of their call. \`npm run test:faults\` makes it: for each moment of a
call and each fault it brings a real SIP call to that moment, lets the fault strike, and writes down here what was heard and what was
recorded. Last whole run: ${new Date().toISOString().slice(0, 10)}, ${cells.length} cells${amiss.length === 0 ? ', each as it should be' : `, **${amiss.length} of them not as they should be** (the last table)`}.

The citizen behaves like one: presses the key of an agency (BPBD, where the moment wants no other) as soon as a menu begins, talks with
whoever answers, and hangs up after 10 s of silence. The fault lasts until the call is over (where nothing else is said), then it is healed.
The plan is the demo's without overflow and waiting rooms, with a patience of 1 s, one line with an accept key, an agency whose first line
has a gateway that says nothing, and talks that count from 1 s on.

${head('moment', 'the fault strikes when').join('\n')}
${moments.map(({ name, when }) => row(name, when)).join('\n')}

## What the caller experiences

*As ever*: nothing is noticed. *Menu again*: the greeting and the menu are heard again, and the key must be pressed again. Times are
seconds from the strike. *Lost*: silence; who dials again is served.

${head('fault', ...moments.map(({ name }) => name)).join('\n')}
${faults.map(({ name }) => row(name, ...moments.map(moment => experienced(at(name, moment.name), at(control, moment.name))))).join('\n')}

## What remains of it

In every cell, once it is healed: no channel, no bridge, no live record is left, the call has one record (two exceptions: below), it
is copied to PostgreSQL, the audit's sums are the same, and whoever was missed has a follow-up. The cells in which anything differs from a call that nothing happened to:

${head('fault', 'moment', 'the caller', 'the agencies', 'on record', 'follow-up').join('\n')}
${remarkable.map(cell => row(cell.fault, cell.moment, experienced(cell, at(control, cell.moment)), agencies(cell), told(cell), cell.followUp ? 'yes' : '')).join('\n')}

## To be read with it

- *silent gateway*: that gateway is given up after 6 s (SIP's timers), and only then the next line rings. The line behind it has no telephone,
  so it is not among the agencies' lines in the table above.
- *hold*: the citizen hears the prompt and the tone of being on hold, and the agency comes back 6 s after the strike.
- *accept question*, *short answer*, *silent gateway*, *hold*: all that is left to do is the dialplan's, so neither the service nor what is
  behind it is missed there.
- *The service's clock* is the watchdog's, too. Where only one of the two clocks is stepped, they differ by an hour, and a call that
  comes in *after* the strike takes the fallback, since the beat does not look fresh, and one that then comes back from an agency's
  lines the last resort; where the machine's is, until the next beat (1 s).
- Asterisk's clock is stepped by libfaketime. When it goes forward while a line rings, the ring time is over at once, and the next line is tried.
- When it goes forward in the moment of a *short answer*, the next line can seem to have fallen silent, too; the last resort then rings the desk.
- When it goes back in the moment of a *short answer*, nobody knows how long that was. The dialplan takes it for too short, and the next line rings.
- When it goes back while they talk, nobody knows how long they talked: on record, they have.
- *Lost*, when it goes forward: Asterisk counts by the time of day how long no sound has come (\`rtp_timeout\`, 300 s), and ends each call for
  which it happens to ask before the next sound is in, 20 ms later (cause 44). It asks when another call begins or is answered in that
  very moment: of eight calls that were just being answered, none to all were gone (20 of 64 in eight steps; of 40 that simply talked,
  none; none at all where it was stepped by four minutes). So the clock of this machine is slewed, never stepped (docs/operations.md).
- Cutting AMI cuts it for the service and for the watchdog. Cutting or stalling ARI leaves the watchdog its AMI.
- When Asterisk is killed, its calls are gone; a telephone hears nothing more, and no BYE. Who had already talked is on record as
  \`answered\`, ended by us, and gets no follow-up. Where it is killed in a call's first instant, before it could write the arrival
  into the ledger, the call is on no record at all.
- A key that is pressed in the moment when the ARI link is reset is heard by nobody; it is as silence, and leads to the desk.
- While the ledger's disk is full, what happens is not written down: a caller who talked can be on record as missed. They get a
  follow-up too many, not one too few. Of a call that came *and* went meanwhile the service notes what it saw itself (\`not-in-the-ledger\`);
  one that came while the service was away, too, leaves no record at all.
${amiss.length === 0 ? '' : `
## Not as it should be

${head('fault', 'moment', 'what').join('\n')}
${amiss.map(({ fault, moment, complaints }) => row(fault, moment, complaints.join('; ').replaceAll('|', '/'))).join('\n')}
`}`
  await writeFile(join(project, 'docs', 'crash-matrix.md'), text)
}

const place = (all: readonly { name: string }[], name: string) => all.findIndex(it => it.name === name)

/** Half a second more than in the undisturbed call is worth a word. */
function experienced({ course, wentOn, human, experience, complaints }: Cell, undisturbed: Cell): string {
  const mark = complaints.length > 0 ? ' **(!)**' : ''
  if (course === 'lost') return `**lost**${mark}`
  if (course === 'menu again') return `menu again ${wentOn} s, human ${human} s${mark}`
  if (course === 'another human') return `${experience.talkedWith} ${human} s${mark}`
  const late = (wentOn ?? 0) - (undisturbed.wentOn ?? 0) > 0.5
  return `${late ? `as ever, but after ${wentOn} s` : 'as ever'}${mark}`
}

function agencies({ experience }: Cell): string {
  return experience.agencies.map(({ line, answered, heardTheCitizen }) =>
    `${line} ${heardTheCitizen ? 'talked' : answered ? 'picked up, heard nobody' : 'rang'}`).join(', ')
}

function told({ record }: Cell): string {
  if (!record) return 'nothing'
  const { disposition, detail, line, endedBy } = record
  return `${disposition}${line ? ` by ${line}` : ''}${detail ? ` (${detail})` : ''}, ended by ${endedBy ?? 'nobody knows whom'}`
}
