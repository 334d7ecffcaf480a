/** All that lies between the PBX admin's folder and what Asterisk loads: read, render, lint, speak, measure. */
import { formatFault, type Fault } from '../plan/faults.ts'
import { loadPlan } from '../plan/load.ts'
import { outboundTrunk } from '../plan/follow-up-policy.ts'
import type { Plan } from '../plan/plan.ts'
import { dialledLines } from './dialled.ts'
import { durations, firstChoice, type Durations } from './length.ts'
import { lastResort } from './last-resort.ts'
import { lint, type LintOptions } from './lint.ts'
import { readAllowed } from './lint-allow.ts'
import { catalogue } from './prompts.ts'
import { render } from './render.ts'
import { traced } from './trace.ts'
import { synthesise, type Synthesis } from './synthesise.ts'
import type { Site } from './view.ts'

export interface Preparation extends Pick<Synthesis, 'run' | 'progress' | 'voices'> {
  planFile: string
  templates: string
  prompts: string
  /** Where the sounds go: <sounds>/<language>/<prompt>.alaw and .ulaw. */
  sounds: string
  site: Site
  /** It was live before: checks that came later only warn. */
  kept?: boolean
  /** What templates may use beyond the lint's own lists: asterisk-config/lint-allow.yaml. */
  allow?: string
}

export interface Prepared {
  plan: Plan
  /** What Asterisk loads, by file name; nothing of it is written yet. */
  files: Map<string, string>
  lengths: Durations
  warnings: Fault[]
}

/** What was rendered, or what it would say, may not go live. */
export class NotPrepared extends Error {
  override name = 'NotPrepared'
  readonly faults: Fault[]

  constructor(faults: Fault[]) {
    super(faults.map(formatFault).join('\n'))
    this.faults = faults
  }
}

/** What the lint must know of a plan: whom it has dialled. */
export function dialledBy(plan: Plan): LintOptions {
  const callbacks = outboundTrunk(plan)
  return { elsewhere: ['last-resort'], lines: dialledLines(plan), ...callbacks ? { callbacks } : {} }          // asterisk-config/last-resort.conf
}

/**
 * Nothing but sounds is written. Throws what went wrong first: `PlanFaults`, `TemplateFaults`, `SynthesisFailed`, or
 * `NotPrepared` (findings of the lint, menus that are too long); the message of each is fit for an admin's terminal.
 */
export async function prepare({ planFile, templates, prompts, sounds, site, allow, kept = false, ...speech }: Preparation): Promise<Prepared> {
  const texts = await catalogue(prompts)
  const { plan, faults } = await loadPlan(planFile, texts.prompts, { kept })
  if (!kept && texts.faults.some(({ severity }) => severity === 'error')) throw new NotPrepared(texts.faults)

  const files = await render(templates, plan, site)
  const findings = lint(files, { ...dialledBy(plan), ...allow ? { allow: await readAllowed(allow) } : {} })
  if (findings.length > 0) throw new NotPrepared(await traced(findings, templates, plan, site, files))

  for (const [name, text] of lastResort(plan)) files.set(name, text)

  await synthesise({ folder: prompts, out: sounds, languages: plan.languages, ...speech })
  const lengths = await durations(sounds, plan.languages)
  const tooLong = firstChoice(plan, lengths, { folder: prompts })
  if (tooLong.length > 0) throw new NotPrepared(tooLong)

  return { plan, files, lengths, warnings: [...faults, ...texts.faults.map(fault => ({ ...fault, severity: 'warning' as const }))] }
}
