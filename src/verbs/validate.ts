/** `npx satunomor validate`: everything that can be checked without changing anything. */
import { formatFault } from '../plan/faults.ts'
import { desk } from './desk.ts'

export async function run(): Promise<number> {
  const { changes, settings } = desk()
  await using draft = await changes.draft()
  const { plan, warnings } = draft.candidate
  for (const warning of warnings) process.stderr.write(`${formatFault(warning)}\n`)
  process.stdout.write(`${settings.plan} is without fault: plan ${plan.version}, ${plan.numbers.size} number(s), ${plan.nodes.size} nodes.\n`)
  return 0
}
