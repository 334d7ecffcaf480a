/**
 * `npx satunomor person`: who has a token of their own, and so signs what they do with their own name (docs/operations.md, "People").
 *
 *   person add "Ani" --role desk                    prints her token, this once; --role admin may do everything
 *   person add "Budi" --role desk --list wali-kota  works only the follow-ups on that list
 *   person list                                     who, as what, since when
 *   person renew "Ani"                              a new token; the old one holds no longer
 *   person remove "Ani"                             the running service knows her no longer, at once
 */
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { project } from '../../setup/project.mjs'
import { addPerson, NotAPerson, readPeople, removePerson, renewPerson, roles } from '../http/people-file.ts'
import { didYouMean, quote, thereAre } from '../plan/faults.ts'
import { agencies } from '../plan/plan.ts'
import { Records } from '../records/records.ts'
import { places, readSettings } from '../settings.ts'
import { me } from './desk.ts'
import { livePlan } from './plan-file.ts'

const usage = 'person add NAME --role desk|admin [--list AGENCY], person list, person renew NAME, person remove NAME\n'

export async function run(args: string[]): Promise<number> {
  const { values: { role, list, who }, positionals: [what = 'list', name, ...more] } = parseArgs({ args, allowPositionals: true, options: {
    role: { type: 'string' }, list: { type: 'string' }, who: { type: 'string', default: me() }
  } })
  const { people: file, records } = places(readSettings(process.env, project).state)
  const done = (does: string, token?: string) => audited(records, who, does, token)

  if (what === 'list' && name === undefined) {
    const people = await readPeople(file)
    for (const { name, role, list, since } of people) process.stdout.write(`${name}  ${role}  since ${since}${list === undefined ? '' : `  only the list of ${list}`}\n`)
    if (people.length === 0) process.stdout.write('Nobody has a token of their own: npx satunomor person add NAME --role desk\n')
    return 0
  }
  if (name === undefined || more.length > 0 || (what !== 'add' && (role ?? list) !== undefined)) return misused(usage)
  switch (what) {
    case 'add': {
      const as = roles.find(one => one === role)
      if (as === undefined) return misused(`--role ${role === undefined ? 'is missing' : `is ${quote(role)}`}: desk reads and works follow-ups, admin may do everything\n`)
      if (list !== undefined) await checkList(list, as)
      return done(`gave ${name} a token (${as}${list === undefined ? '' : `, the list of ${list}`})`, await addPerson(file, { name, role: as, ...list === undefined ? {} : { list } }, who))
    }
    case 'renew': return done(`gave ${name} a new token`, await renewPerson(file, name, who))
    case 'remove':
      await removePerson(file, name, who)
      return done(`took ${name}'s token away`)
    default: return misused(usage)
  }
}

function misused(sentence: string): number {
  process.stderr.write(sentence)
  return 2
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
