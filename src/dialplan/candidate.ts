/** What may become a version: the admin's folder, copied as it lies, checked whole, rendered, linted, spoken. */
import { existsSync } from 'node:fs'
import { copyFile, link, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Fault } from '../plan/faults.ts'
import type { Plan } from '../plan/plan.ts'
import { NotPrepared, prepare, type Preparation } from './prepare.ts'
import { staticFaults } from './static-config.ts'
import { SynthesisFailed } from './synthesise.ts'
import { sums } from './versions.ts'

/** The PBX admin's folder: the plan's file, with its holidays/, directory/ and calls.yaml beside it where there are any, and three folders. */
export interface Desk {
  plan: string
  templates: string
  prompts: string
  /** Asterisk's own settings: asterisk-config/. */
  config?: string
}

/** A part of the admin's folder is not there. */
export class NotThere extends Error {
  override name = 'NotThere'
}

/** Throws `NotThere`. */
export function refuseMissing({ plan, templates, prompts, config }: Desk) {
  const missing = [plan, templates, prompts, ...config === undefined ? [] : [config]].filter(path => !existsSync(path))
  if (missing.length === 0) return
  throw new NotThere(`there is no ${missing.join(', no ')}: SATUNOMOR_CITY names the city's folder, and npx satunomor init FOLDER makes one (docs/operations.md, "The city's own folder")`)
}

/** Holds the expected calls (calls.yaml) against a plan. */
export type Expected = (text: string, file: string, plan: Plan) => Fault[]

export interface Workshop extends Pick<Preparation, 'site' | 'run' | 'progress' | 'kept'> {
  /** Extends what templates may use, where the folder has no asterisk-config/: a lint-allow.yaml. */
  allow?: string
  /** Sounds that were spoken before: what has not changed is taken from there. */
  spoken?: string | undefined
  /** Left out, expected calls are not looked at. */
  expected?: Expected
}

export interface Candidate {
  folder: string
  plan: Plan
  /** What Asterisk loads, by file name. */
  files: Map<string, string>
  warnings: Fault[]
  source: string
  rendered: string
}

/** Makes a candidate in a staged folder. Throws `NotPrepared`, or what the disk says; faults name the admin's own files. */
export async function makeCandidate(desk: Desk, folder: string, { spoken, expected, ...workshop }: Workshop): Promise<Candidate> {
  const copy = await copyOf(desk, folder)
  const sounds = join(folder, 'sounds')
  await mkdir(sounds)
  if (spoken && existsSync(spoken)) await seed(spoken, sounds)          // before the first start there are none
  const named = (path: string) => (['plan', 'templates', 'prompts', 'config'] as const)
    .reduce((text, part) => copy[part] === undefined ? text : text.replaceAll(copy[part], desk[part]!), path)
    .replaceAll(dirname(copy.plan), dirname(desk.plan))
  try {
    const config = copy.config === undefined ? [] : await staticFaults(copy.config)
    if (!workshop.kept && config.some(({ severity }) => severity === 'error')) throw new NotPrepared(config)
    const allow = copy.config === undefined ? workshop.allow : join(copy.config, 'lint-allow.yaml')
    const { plan, files, warnings } = await prepare({ planFile: copy.plan, templates: copy.templates, prompts: copy.prompts, sounds, ...workshop, ...allow === undefined ? {} : { allow } })
    warnings.push(...config.map(fault => ({ ...fault, severity: 'warning' as const })))
    const calls = join(folder, 'dialplan', 'calls.yaml')
    const unexpected = expected && existsSync(calls) ? expected(await readFile(calls, 'utf8'), calls, plan) : []
    if (unexpected.length > 0) throw new NotPrepared(unexpected)
    if (expected && !existsSync(calls)) warnings.push({ severity: 'warning', file: calls, line: 1, column: 1, path: '', sentence: 'is not there: nothing is checked that must stay true of the city\'s telephone', suggestion: 'write down its most important calls (docs/plan.md, "Expected calls")' })
    await mkdir(join(folder, 'etc'))
    for (const [name, text] of files) await writeFile(join(folder, 'etc', name), text)
    return { folder, plan, files, warnings: warnings.map(fault => ({ ...fault, file: named(fault.file) })), ...await sums(folder) }
  } catch (error) {
    const { faults } = error as { faults?: Fault[] }
    if (faults) throw new NotPrepared(faults.map(fault => ({ ...fault, file: named(fault.file) })))
    if (error instanceof SynthesisFailed) throw new SynthesisFailed(error.failures.map(named))
    throw error
  }
}

/** What a candidate of this folder would have as its `source`. Throws what the disk says. */
export async function sourceOf(desk: Desk, folder: string): Promise<string> {
  await copyOf(desk, folder)
  return (await sums(folder)).source
}

/** What is edited while we look at it is not looked at: the copy is what is checked, and what goes live. */
async function copyOf(desk: Desk, folder: string): Promise<Desk> {
  refuseMissing(desk)
  const to = join(folder, 'dialplan')
  const copy: Desk = { plan: join(to, 'plan.yaml'), templates: join(to, 'templates'), prompts: join(to, 'prompts') }
  await mkdir(copy.templates, { recursive: true })
  await mkdir(copy.prompts)
  await copyFile(desk.plan, copy.plan)
  const beside = dirname(desk.plan)
  if (existsSync(join(beside, 'calls.yaml'))) await copyFile(join(beside, 'calls.yaml'), join(to, 'calls.yaml'))
  for (const [folder, extension] of [['holidays', '.yaml'], ['directory', '.csv']] as const) {
    if (!existsSync(join(beside, folder))) continue
    await mkdir(join(to, folder))
    for (const file of await readdir(join(beside, folder))) if (file.endsWith(extension)) await copyFile(join(beside, folder, file), join(to, folder, file))
  }
  for (const file of await readdir(desk.templates)) if (file.endsWith('.liquid')) await copyFile(join(desk.templates, file), join(copy.templates, file))
  for (const entry of await readdir(desk.prompts, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    await mkdir(join(copy.prompts, entry.name))
    for (const file of await readdir(join(desk.prompts, entry.name))) {
      if (/\.(txt|wav|spoken)$/.test(file)) await copyFile(join(desk.prompts, entry.name, file), join(copy.prompts, entry.name, file))
    }
  }
  if (desk.config !== undefined) {
    copy.config = join(folder, 'asterisk-config')
    await mkdir(copy.config)
    for (const file of await readdir(desk.config)) if (/\.conf$|^lint-allow\.yaml$/.test(file)) await copyFile(join(desk.config, file), join(copy.config, file))
  }
  return copy
}

/** Sounds of every language, linked where the disk can: they are replaced by renaming, never written to. */
async function seed(from: string, to: string) {
  if (!existsSync(from)) return                          // before the first start
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (!entry.isDirectory() || !/^[a-z]{2}$/.test(entry.name)) continue
    await mkdir(join(to, entry.name))
    for (const file of await readdir(join(from, entry.name))) {
      if (/^manifest\.json$|\.[au]law$/.test(file)) await linkOrCopy(join(from, entry.name, file), join(to, entry.name, file))
    }
  }
}

export async function linkOrCopy(from: string, to: string) {
  await link(from, to).catch(() => copyFile(from, to))
}
