/** `npx satunomor rollback [N] --why "…"`: what was live before, or version N, is live again. */
import { parseArgs } from 'node:util'
import { change, desk, me, versionNumber } from './desk.ts'

export async function run(args: string[]): Promise<number> {
  const { values: { why, who }, positionals: [to] } = parseArgs({ args, allowPositionals: true, options: { why: { type: 'string' }, who: { type: 'string', default: me() } } })
  if (!why) throw new RangeError('say why: npx satunomor rollback --why "callers do not reach the mayor"')
  const order = { who, why, ...to === undefined ? {} : { to: versionNumber(to) } }
  const at = desk()
  const { version, plan } = await change(at, 'rollback', order, tell => at.changes.rollBack({ ...order, tell }))
  process.stdout.write(`Version ${version} (plan ${plan}) is live. ${at.settings.plan} is as you left it: npx satunomor diff shows what it would change.\n`)
  return 0
}
