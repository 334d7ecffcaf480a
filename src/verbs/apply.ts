/** `npx satunomor apply --why "…"`: makes the edited plan live. The running service does it; where none runs, we do. */
import { change, desk, me, versionNumber } from './desk.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = {
  lines: ['apply --why "…" [--who NAME] [--base N] [--no-smoke]'],
  options: {
    why: { type: 'string', value: '"…"', does: 'why: it is kept with the version' }, who: { type: 'string', value: 'NAME', does: 'who does it; you at this machine if left out' },
    base: { type: 'string', value: 'N', does: 'the version that the edit began from; needed after a rollback or a restore' }, 'no-smoke': { type: 'boolean', does: 'leaves out the call on an Asterisk of its own' }
  },
  example: 'apply --why "the mayor\'s second line"'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { values: { why, who = me(), base, 'no-smoke': untried = false } } = read(usage, args)
  if (!why) misused('apply', 'say why: --why "the mayor\'s second line"')
  const order = { who, why, smoke: !untried, ...base === undefined ? {} : { base: versionNumber('apply', base) } }
  const at = desk()
  const { version, plan } = await change(at, 'apply', order, hears => at.changes.apply({ ...order, ...hears }))
  process.stdout.write(`Version ${version} (plan ${plan}) is live. To take it back: npx satunomor rollback --why "…"\n`)
  return 0
}
