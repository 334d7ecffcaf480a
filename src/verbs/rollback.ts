/** `npx satunomor rollback [N] --why "…"`: what was live before, or version N, is live again. */
import { change, desk, me, versionNumber } from './desk.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = {
  lines: [['rollback --why "…" [--who NAME]', 'the version before'], ['rollback N --why "…" [--who NAME]', 'version N (npx satunomor versions)']], words: 1,
  options: { why: { type: 'string', value: '"…"', does: 'why: it is kept with the version' }, who: { type: 'string', value: 'NAME', does: 'who does it; you at this machine if left out' } },
  example: 'rollback --why "callers do not reach the mayor"'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { values: { why, who = me() }, words: [to] } = read(usage, args)
  if (!why) misused('rollback', 'say why: --why "callers do not reach the mayor"')
  const order = { who, why, ...to === undefined ? {} : { to: versionNumber('rollback', to) } }
  const at = desk()
  const { version, plan } = await change(at, 'rollback', order, hears => at.changes.rollBack({ ...order, ...hears }))
  process.stdout.write(`Version ${version} (plan ${plan}) is live. ${at.settings.plan} is as you left it: npx satunomor diff shows what it would change.\n`)
  return 0
}
