/** Reads the service plan: whole and typed, or refused with everything that is wrong with it. */
import { createHash } from 'node:crypto'
import { checks, missingPrompts, unreachable, type PromptCatalogue } from './check.ts'
import { conform, type Rule } from './conform.ts'
import type { Draft } from './draft.ts'
import { byPlace, PlanFaults, type Fault } from './faults.ts'
import { finish, type Plan } from './plan.ts'
import { PlanFile } from './schema.ts'
import { openSource } from './source.ts'

/**
 * Takes the plan's text (or bytes, which are checked to be UTF-8). `file` is only for the faults' places; `prompts`
 * says which prompts exist, and without it they are not looked for. The faults returned are warnings.
 * Throws `PlanFaults`, and nothing else.
 */
export function readPlan(
  text: string | Uint8Array, { file, prompts }: { file: string, prompts?: PromptCatalogue }
): { plan: Plan, faults: Fault[] } {
  const source = openSource(text, file)
  if (source.faults.length > 0) throw new PlanFaults(source.faults.sort(byPlace))

  const draft = (conform(source.root, PlanFile as Rule, [], source) ?? {}) as Draft
  for (const check of checks) check(draft, source.report)
  if (prompts) missingPrompts(draft, prompts, source.report)
  if (source.faults.length === 0) unreachable(draft, source.report)

  const faults = source.faults.sort(byPlace)
  if (faults.some(fault => fault.severity === 'error')) throw new PlanFaults(faults)
  const version = createHash('sha256').update(source.text).digest('hex').slice(0, 12)
  return { plan: finish(draft as PlanFile, version), faults }
}
