/** Reads the service plan from where it lies: the file, and the folders `holidays` and `directory` beside it. */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { PromptCatalogue } from './check.ts'
import type { Fault } from './faults.ts'
import type { Plan } from './plan.ts'
import { readPlan } from './read.ts'
import type { FileTexts } from './source.ts'

/** `kept`: it is of a version that was made live. Throws `PlanFaults`, or what the file system says. */
export async function loadPlan(file: string, prompts?: PromptCatalogue, { kept = false } = {}): Promise<{ plan: Plan, faults: Fault[] }> {
  const [holidays, directory] = [await holidayTexts(join(dirname(file), 'holidays')), await directoryTexts(join(dirname(file), 'directory'))]
  return readPlan(await readFile(file), { file, holidays, directory, kept, ...prompts ? { prompts } : {} })
}

/** The calendars of a folder, by name without .yaml. */
export const holidayTexts = async (folder: string): Promise<FileTexts> =>
  new Map((await textsIn(folder, '.yaml')).entries().map(([name, text]) => [name.slice(0, -'.yaml'.length), text]))

/** The directory's files of a folder, by name. */
export const directoryTexts = (folder: string): Promise<FileTexts> => textsIn(folder, '.csv')

/** The folder's files; none where there is no folder. */
async function textsIn(folder: string, extension: string): Promise<FileTexts> {
  const names = await readdir(folder).catch(error => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  const texts = new Map<string, { file: string, text: Buffer }>()
  for (const name of names.filter(name => name.endsWith(extension)).sort()) {
    const file = join(folder, name)
    texts.set(name, { file, text: await readFile(file) })
  }
  return texts
}
