/** The service plan that a verb is about: `--plan FILE`, or the one that the service runs. */
import { project } from '../../setup/project.mjs'
import { formatFault } from '../plan/faults.ts'
import { loadPlan } from '../plan/load.ts'
import type { Plan } from '../plan/plan.ts'
import { readSettings } from '../settings.ts'

/** Warnings go to stderr. Throws `PlanFaults`. */
export async function planOf(file?: string): Promise<Plan> {
  const { plan, faults } = await loadPlan(file ?? readSettings(process.env, project).plan)
  for (const fault of faults) process.stderr.write(`${formatFault(fault)}\n`)
  return plan
}
