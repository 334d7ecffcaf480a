/** Which service plan a verb is about: the one that is live, the one that is edited, or a file that is named; said on stderr. */
import { join } from 'node:path'
import { refuseMissing } from '../dialplan/candidate.ts'
import { Versions } from '../dialplan/versions.ts'
import { formatFault, PlanFaults } from '../plan/faults.ts'
import { loadPlan } from '../plan/load.ts'
import type { Plan } from '../plan/plan.ts'
import { places } from '../settings.ts'
import { settingsHere } from './here.ts'
import { misused } from './usage.ts'

export interface Chosen {
  plan: Plan
  /** The folder of its prompts' texts. */
  prompts: string
}

/** What the service runs, or `file`; what is edited only where no version was ever live. For what is done on the night itself: a colleague's unfinished edit is in nobody's way. */
export async function livePlan(file?: string): Promise<Chosen> {
  if (file !== undefined) return { plan: await planOf(file), prompts: edited().prompts }
  const live = await liveVersion()
  if (live) say(`By version ${live.version}, which is live.`)
  else say(`By ${edited().file}: no version is live yet.`)
  return live ? { plan: await planOf(join(live.folder, 'plan.yaml'), { kept: true }), prompts: join(live.folder, 'prompts') } : { plan: await planOf(), prompts: edited().prompts }
}

/** What is edited, or `file`; with `live`, what the service runs. For what is looked at before it is applied. */
export async function editedPlan(verb: string, { plan: file, live = false }: { plan?: string | undefined, live?: boolean | undefined }): Promise<Chosen> {
  if (live && file !== undefined) misused(verb, 'say --live or --plan, not both')
  if (live || file !== undefined) return livePlan(file)
  const version = await liveVersion()
  const plan = await planOf().catch(error => {
    if (error instanceof PlanFaults && version) say(`This is what is edited: --live looks at version ${version.version}, which is live.`)
    throw error
  })
  if (!version) say(`By ${edited().file}: no version is live yet.`)
  else if (version.plan === plan.version) say(`By ${edited().file}, as it is live (version ${version.version}).`)
  else say(`By ${edited().file} as it is edited, which is not live: --live looks at version ${version.version}, which is.`)
  return { plan, prompts: edited().prompts }
}

/** A plan's file; what is edited if left out. Warnings go to stderr. Throws `PlanFaults`. */
export async function planOf(file = edited().file, { kept = false } = {}): Promise<Plan> {
  const { plan, faults } = await loadPlan(file, undefined, { kept })
  for (const fault of faults) say(formatFault(fault))
  return plan
}

/** The plan's file that is edited, and the folder of its prompts' texts. Throws `NotThere`. */
export function edited() {
  const { city, plan, templates, prompts } = settingsHere()
  if (city !== undefined) refuseMissing({ plan, templates, prompts })
  return { file: plan, prompts }
}

/** Its `folder` is the admin's as it was. One whose meta.json is lost is live all the same, and has its plan. */
async function liveVersion(): Promise<{ version: number, plan?: string, folder: string } | undefined> {
  const found = await new Versions(places(settingsHere().state).versions).look()
  return found && { ...found, folder: join(found.folder, 'dialplan') }
}

const say = (sentence: string) => void process.stderr.write(`${sentence}\n`)
