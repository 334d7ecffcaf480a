/** `npx satunomor validate`: everything that can be checked without changing anything. */
import { project } from '../../setup/project.mjs'
import { upgradeInALine } from '../city/upgrade.ts'
import { formatFault } from '../plan/faults.ts'
import { desk } from './desk.ts'
import { read, type Usage } from './usage.ts'

export const usage = { lines: ['validate'], options: {}, example: 'validate' } as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  read(usage, args)
  const { changes, settings } = desk()
  await using draft = await changes.draft()
  const { plan, warnings } = draft.candidate
  for (const warning of warnings) process.stderr.write(`${formatFault(warning)}\n`)
  const upgrade = await upgradeInALine(project, settings.city)
  if (upgrade !== undefined) process.stderr.write(`${upgrade}\n`)
  process.stdout.write(`${settings.plan} is without fault: plan ${plan.version}, ${plan.numbers.size} number(s), ${plan.nodes.size} nodes.\n`)
  return 0
}
