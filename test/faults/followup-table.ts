/** Writes docs/followup-matrix.md out of what was observed in a whole run. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { project } from '../../setup/project.mjs'
import type { Cell } from './followup-cell.ts'
import type { Fault } from './followup-faults.ts'
import type { Moment } from './followup-moments.ts'

export async function writeFollowUpTable({ faults, moments, cells }: { faults: readonly Fault[], moments: readonly Moment[], cells: readonly Cell[] }): Promise<void> {
  const row = (...texts: string[]) => `| ${texts.join(' | ')} |`
  const head = (...texts: string[]) => [row(...texts), row(...texts.map(() => '---'))]
  const amiss = cells.filter(({ complaints }) => complaints.length > 0)
  const text = `# The follow-ups' crash matrix

What becomes of a callback when something breaks in the middle of it. \`npm run test:faults\` makes it: a citizen calls 112 and gives up in
the greeting; the follow-up is brought to each moment and held there, the fault strikes, it is let go, and in the end the citizen must
have been spoken with. Real Redis, a real Asterisk, real SIP as the desk and as the citizen. Last whole run: ${new Date().toISOString().slice(0, 10)}, ${cells.length} cells${amiss.length === 0 ? ', each as it should be' : `, **${amiss.length} of them not as they should be** (the last table)`}.

${head('moment', 'the fault strikes when').join('\n')}
${moments.map(({ name, when }) => row(name, when)).join('\n')}

In every cell: each INVITE at the citizen's telephone belongs to an attempt of its own, which the ledger saw dial once; the last of them was
a talk in which both heard each other; the follow-up is \`done\`, its history walks along the states of src/followups/states.ts; no attempt is
left open, no channel, no live record; the books are balanced; and until the end of the run nobody's telephone rang again.

## How it went on

Seconds from the strike until the citizen's telephone rang (where it was still to ring), and until it was written down as done. Where it
took more than one attempt, how they ended. The policy: no delay, 5 s between attempts.

${head('fault', ...moments.map(({ name }) => name)).join('\n')}
${faults.map(fault => row(fault.name, ...moments.map(({ name }) => fault.not?.[name] ?? told(cells.find(cell => cell.fault === fault.name && cell.moment === name))))).join('\n')}

## To be read with it

- Three cities stand side by side on two cores, and restart their services at the same time: alone, a service is there again after 2 s.
- *leased*: a job whose worker died belongs to it until its lease is over (10 s), and BullMQ looks every 5 s: that is the time in
  which nothing happens. The store would not let it be begun twice sooner or later.
- *about to dial*: the service was killed between the store and Asterisk. Nobody can know whether Asterisk was asked; it says that it
  has no such channel, the ledger says that nothing rang, so the attempt is \`void\` and another one is made.
- *agency's question*, *citizen's question*: whoever is asked presses 1 as soon as the fault has struck, while the question is still heard; Asterisk
  alone listens for that.
- *agency left*: nobody is there to be joined with when the citizen presses 1. They are told that we call again, and are: that is the second attempt.
- Where Asterisk is killed while they talk, they are cut off (\`cut-off\`), and the citizen is rung again.
- A clock stays where it was stepped to until the follow-up has ended. With the service's an hour ahead, everything whose deadline
  (180 min here, 30 min where the plan says nothing) would be over goes to a person, as the plan says. With it an hour back, what
  already had a time to be tried at waits until then; what is made then is tried at once.
- Asterisk's clock is stepped by libfaketime. Asterisk counts ring times, and how long no sound has come (\`rtp_timeout\`), by the time of
  day. When it goes forward while a telephone rings, the ring time is over at once; where it is the citizen's, the desk can be
  cut off, too (cause 44). Either is an attempt that came to nothing, and another follows. Who talks talks on.
- When it goes back while a telephone rings (here it is answered then), that telephone rings on for as long as the clock was put back,
  unless somebody answers, or the network ends it.
- The second service has no ledger of its own to read: what came of an attempt is written down by the first.
${amiss.length === 0 ? '' : `
## Not as it should be

${head('fault', 'moment', 'what').join('\n')}
${amiss.map(({ fault, moment, complaints }) => row(fault, moment, complaints.join('; ').replaceAll('|', '/'))).join('\n')}
`}`
  await writeFile(join(project, 'docs', 'followup-matrix.md'), text)
}

function told(cell: Cell | undefined): string {
  if (!cell) return 'not run'
  const mark = cell.complaints.length > 0 ? ' **(!)**' : ''
  const parts = [
    ...cell.rang === null ? [] : [`rang ${cell.rang} s`], cell.done === null ? 'stays done' : `done ${cell.done} s`,
    ...cell.outcomes.length > 1 ? [`(${cell.outcomes.join(', ')})`] : []
  ]
  return parts.join(', ').replace(', (', ' (') + mark
}
