/** `npx satunomor expect`: checks the expected calls (dialplan/calls.yaml beside the plan). */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkExpectedCalls } from '../plan/expected.ts'
import { formatFault } from '../plan/faults.ts'
import { edited, planOf } from './plan-file.ts'
import { read, type Usage } from './usage.ts'

export const usage = {
  lines: ['expect [--plan FILE] [--calls FILE]'],
  options: { plan: { type: 'string', value: 'FILE', does: 'another plan than what is edited' }, calls: { type: 'string', value: 'FILE', does: 'other expected calls; calls.yaml beside the plan if left out' } },
  example: 'expect'
} as const satisfies Usage

/** Ends with 0 when all of them get where they are expected, else with 1. */
export async function run(args: string[]): Promise<number> {
  const { values } = read(usage, args)
  const planFile = values.plan ?? edited().file
  const file = values.calls ?? join(dirname(planFile), 'calls.yaml')
  const plan = await planOf(planFile)
  const faults = checkExpectedCalls(await readFile(file, 'utf8'), file, plan)
  process.stdout.write(faults.length > 0 ? `${faults.map(formatFault).join('\n')}\n` : `${file}: every call gets where it is expected (plan ${plan.version})\n`)
  return faults.length > 0 ? 1 : 0
}
