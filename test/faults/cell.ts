/** One cell of the crash matrix: a real call comes to the moment, the fault strikes, the citizen lives on; then what is left is looked at. */
import { audit } from '../../src/audit.ts'
import type { Records } from '../../src/records/records.ts'
import { eventually } from '../parts/city.ts'
import { Citizen, type Experience } from './citizen.ts'
import { expectation, type Course, type Fault } from './faults.ts'
import { voiceOf, type Ground } from './ground.ts'
import type { Moment } from './moments.ts'

export interface Cell {
  fault: string
  moment: string
  course: Course
  /** Seconds from the strike until it went on: the greeting or menu, the human's voice, the apology. Null where nothing came. */
  wentOn: number | null
  /** Seconds from the strike until the human's voice; null where there was none. */
  human: number | null
  experience: Experience
  record: { disposition: string | null, detail: string | null, line: string | null, endedBy: string | null } | null
  followUp: boolean
  /** What is not as it should be, in sentences. */
  complaints: string[]
}

export async function runCell(ground: Ground, fault: Fault, moment: Moment, number: string): Promise<Cell> {
  const { city } = ground
  const complaints: string[] = []
  const should = async (what: string, work: () => Promise<unknown>) => {
    await work().catch((error: Error) => { complaints.push(`${what}: ${error.message}`) })
  }
  ground.calm()
  await fault.before?.(ground)
  await ground.ready()
  const began = Date.now() - 1000
  const { citizen, next } = await moment.come(ground, number)
  if (moment.inService && (await city.inService()).length !== 1) complaints.push('the call was not in the service\'s hands to begin with')

  const struck = performance.now()
  next?.()
  const [experience] = await Promise.all([citizen.livesOn(struck, moment.talksOn ?? 0), fault.strike(ground)])
  // Of a call that is just ending, everything may have been written in the instant before.
  if (fault.bites && moment.follows.length > 0) await should('it has broken something', () => eventually('the fault is seen from outside', () => fault.bites!(ground), 10_000))
  await fault.heal?.(ground)
  await Promise.all(citizen.legs.map(leg => leg.hangUp()))
  await ground.ready()

  await using records = await ground.records()
  const went = courseOf(moment, experience)
  complaints.push(...judge(fault, moment, went))
  await should('nothing is left behind', () => eventually('all is gone', async () => {
    const left = await leftBehind(ground, records)
    if (left.length > 0) throw new Error(left.join(', '))
    return true
  }, 30_000))
  const written = await onRecord({ ground, records, fault, moment, number, began, course: went.course, experience, should })
  await should('the books are balanced', async () => {
    const { balanced, missing, unfinished, orphans } = await audit({ file: ground.ledger, records, from: began, to: Date.now() + 1000 })
    if (!balanced) throw new Error(JSON.stringify({ missing, unfinished, orphans }))
  })
  if (went.course === 'lost') await should('who dials again is served', () => dialsAgain(ground, number))
  return { fault: fault.name, moment: moment.name, ...went, experience, ...written, complaints }
}

function courseOf({ name, follows, soon, agency = 'bpbd' }: Moment, { heard, talkedWith, agencies }: Experience) {
  const after = heard.filter(({ begun }) => begun > 0)
  const begin = (...what: string[]) => after.find(it => what.includes(it.what))?.begun
  const human = talkedWith === null ? undefined : begin(voiceOf(talkedWith))
  const greeting = begin('sambutan')
  const apology = begin('maaf-akhir')
  const seconds = (ms: number | undefined) => ms === undefined ? null : Math.round(ms / 100) / 10
  const went = (course: Course, on: number | undefined) => ({ course, wentOn: seconds(on), human: seconds(human) })

  if (follows.length === 0) return went('as ever', undefined)
  if (human === undefined && !(follows.includes('the apology') && apology !== undefined)) return went('lost', undefined)
  if (greeting !== undefined && name !== 'ringing in') return went('menu again', greeting)
  if (human !== undefined && (follows.includes('the apology') || !agencies.some(({ line }) => line === talkedWith && line.startsWith(agency)))) return went('another human', human)
  const on = follows.includes('the apology') ? apology : follows.includes('menu') ? begin('sambutan', 'menu-utama') : human
  return went((on ?? 0) > soon * 1000 ? 'later' : 'as ever', on)
}

function judge(fault: Fault, { name }: Moment, { course, wentOn }: ReturnType<typeof courseOf>): string[] {
  const { courses, within } = expectation(fault, name)
  if (!courses.includes(course)) return [`the caller's course was "${course}", not ${courses.map(it => `"${it}"`).join(' or ')}`]
  return course !== 'lost' && (wentOn ?? 0) > within ? [`it went on after ${wentOn} s, not within ${within} s`] : []
}

/** What is still there, in words, asked without the wires that are cut. */
async function leftBehind(ground: Ground, records: Records): Promise<string[]> {
  const [channels, bridges, inCare] = await Promise.all([ground.city.channels(), ground.city.bridges(), ground.figure('satunomor_calls_in_care')])
  const live = await records.live()
  return [
    ...channels.map(id => `channel ${id}`), ...bridges.map(() => 'a bridge'), ...inCare === 0 ? [] : [`${inCare} calls in the service's care`],
    ...live.map(({ callId }) => `live record ${callId}`)
  ]
}

type Should = (what: string, work: () => Promise<unknown>) => Promise<void>

/** The call has one record, with the one disposition that is right, in the store and in PostgreSQL; and a follow-up where it was missed. */
async function onRecord({ ground, records, fault, moment, number, began, course, experience: { talkedWith, heard, agencies, ended }, should }: {
  ground: Ground, records: Records, fault: Fault, moment: Moment, number: string, began: number, course: Course, experience: Experience, should: Should
}) {
  // Asterisk's clock may have been put back before it wrote down that they call.
  const found = async () => (await records.list({ from: began - 3_600_000, limit: 500 })).calls.filter(call => call.cliRaw === number)
  if (expectation(fault, moment.name).untraced && (await found()).length === 0) return { record: null, followUp: false }
  await should('one record', () => eventually('there is one', async () => {
    const all = await found()
    if (all.length !== 1 || !all[0]!.disposition) throw new Error(`there are ${all.length}: ${all.map(call => call.disposition).join(', ')}`)
    return true
  }))
  const [call] = await found()
  if (!call) return { record: null, followUp: false }
  const { callId, disposition, detail, line, endedBy } = call
  // An agency that picked up as the call was cut has answered; nobody has spoken, so it is followed up all the same.
  const pickedUp = course === 'lost' && agencies.some(({ answered }) => answered) ? ['answered'] : []
  const right = talkedWith !== null ? ['answered'] : heard.some(({ what }) => what === 'maaf-akhir') ? ['unanswered']
    : [course !== 'lost' || (fault.losesAsIfGone && endedBy !== 'us') ? 'abandoned' : 'failed', ...pickedUp]
  await should('the right record', async () => {
    if (fault.losesTheLedger) return
    if (!right.includes(disposition!)) throw new Error(`it says ${disposition} (${detail}), not ${right.join(' or ')}`)
    if (talkedWith !== null && line !== talkedWith) throw new Error(`it says that ${line} answered, not ${talkedWith}`)
  })
  const followUp = async () => (await records.db.selectFrom('followupCalls').select('callId').where('callId', '=', callId).execute()).length === 1
  if (disposition !== 'answered' || (talkedWith === null && ended.how === 'was hung up')) await should('a follow-up', () => eventually('it is there', followUp, 20_000))
  await should('the copy in PostgreSQL', () => eventually('it is there', async () => (await ground.copied(callId)) === disposition, 30_000))
  return { record: { disposition, detail, line, endedBy }, followUp: await followUp() }
}

async function dialsAgain(ground: Ground, number: string) {
  ground.calm()
  const citizen = new Citizen(ground, number, '2')
  await citizen.hears('sambutan')
  if ((await ground.city.inService()).length !== 1) throw new Error('the fallback has the call')
  await citizen.press()
  await citizen.talks()
  await citizen.call.hangUp()
}
