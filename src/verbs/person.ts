/** `npx satunomor person`: who has a token of their own, and so signs what they do with their own name (docs/operations.md, "People"). */
import { pino } from 'pino'
import { project } from '../../setup/project.mjs'
import { addPerson, NotAPerson, readPeople, removePerson, renewPerson, roles } from '../http/people-file.ts'
import { didYouMean, quote, thereAre } from '../plan/faults.ts'
import { agencies } from '../plan/plan.ts'
import { Records } from '../records/records.ts'
import { places, readSettings } from '../settings.ts'
import { me } from './desk.ts'
import { livePlan } from './plan-file.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = {
  lines: [
    ['person add NAME --role desk|admin [--list AGENCY]', 'makes a token, and prints it this once'], ['person list', 'who has one, as what, since when'],
    ['person renew NAME', 'a new token; the old one holds no longer'], ['person remove NAME', 'takes it away, at once']
  ],
  ways: { add: { words: 1, options: ['role', 'list', 'who'] }, list: { words: 0, options: [] }, renew: { words: 1, options: ['who'] }, remove: { words: 1, options: ['who'] } },
  options: {
    role: { type: 'string', value: 'desk|admin', does: 'desk reads and works follow-ups, admin may do everything' }, list: { type: 'string', value: 'AGENCY', does: 'works only the follow-ups on the list of this agency' },
    who: { type: 'string', value: 'NAME', does: 'who does it; you at this machine if left out' }
  },
  example: 'person add "Ani" --role desk'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { values: { role, list, who = me() }, words: [what = 'list', name] } = read(usage, args)
  const { people: file, records } = places(readSettings(process.env, project).state)
  const done = (does: string, token?: string) => audited(records, who, does, token)

  if (what === 'list') {
    const people = await readPeople(file)
    for (const { name, role, list, since } of people) process.stdout.write(`${name}  ${role}  since ${since}${list === undefined ? '' : `  only the list of ${list}`}\n`)
    if (people.length === 0) process.stdout.write('Nobody has a token of their own: npx satunomor person add NAME --role desk\n')
    return 0
  }
  if (name === undefined) misused('person', `say who: person ${what} NAME`)
  switch (what) {
    case 'add': {
      const as = roles.find(one => one === role)
      if (as === undefined) misused('person', `--role ${role === undefined ? 'is missing' : `is ${quote(role)}`}: desk reads and works follow-ups, admin may do everything`)
      if (list !== undefined) await checkList(list, as)
      return done(`gave ${name} a token (${as}${list === undefined ? '' : `, the list of ${list}`})`, await addPerson(file, { name, role: as, ...list === undefined ? {} : { list } }, who))
    }
    case 'renew': return done(`gave ${name} a new token`, await renewPerson(file, name, who))
    default:
      await removePerson(file, name, who)
      return done(`took ${name}'s token away`)
  }
}

async function checkList(list: string, role: string) {
  if (role === 'admin') throw new NotAPerson('--list: an admin works every list')
  const known = agencies((await livePlan()).plan).map(({ id }) => id)
  if (!known.includes(list)) throw new NotAPerson(`--list: ${quote(list)} is no agency of the plan — ${didYouMean(list, known) ?? thereAre(known)}`)
}

/** Shows the token, and writes down who did it. It is done by now, whatever the store says. */
async function audited(file: string, who: string, does: string, token?: string): Promise<number> {
  if (token !== undefined) {
    process.stderr.write('The token, shown this once (only its hash is kept):\n')
    process.stdout.write(`${token}\n`)
  }
  try {
    await using records = await Records.open({ file }, pino({ level: 'silent' }))
    await records.audit(who, does, null)
  } catch (error) {
    process.stderr.write(`It is done, but does not stand in the audit (${(error as Error).message}).\n`)
  }
  return 0
}
