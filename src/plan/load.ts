/** Reads the service plan from where it lies: the file, and the folder `holidays` beside it. */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { PromptCatalogue } from './check.ts'
import type { Fault } from './faults.ts'
import type { HolidayTexts } from './holidays.ts'
import type { Plan } from './plan.ts'
import { readPlan } from './read.ts'

/** Throws `PlanFaults`, or what the file system says. */
export async function loadPlan(file: string, prompts?: PromptCatalogue): Promise<{ plan: Plan, faults: Fault[] }> {
  const holidays = await holidayTexts(join(dirname(file), 'holidays'))
  return readPlan(await readFile(file), { file, holidays, ...prompts ? { prompts } : {} })
}

/** The folder's files; none where there is no folder. */
export async function holidayTexts(folder: string): Promise<HolidayTexts> {
  const names = await readdir(folder).catch(error => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  const texts = new Map<string, { file: string, text: Buffer }>()
  for (const name of names.filter(name => name.endsWith('.yaml')).sort()) {
    const file = join(folder, name)
    texts.set(name.slice(0, -'.yaml'.length), { file, text: await readFile(file) })
  }
  return texts
}
