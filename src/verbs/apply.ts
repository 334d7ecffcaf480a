/** `npx satunomor apply --why "…"`: makes the edited plan live. The running service does it; where none runs, we do. */
import { parseArgs } from 'node:util'
import { change, desk, me, versionNumber } from './desk.ts'

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, allowNegative: true, options: {
    why: { type: 'string' }, who: { type: 'string', default: me() }, base: { type: 'string' }, smoke: { type: 'boolean', default: true }
  } })
  const { why, who, smoke } = values
  if (!why) throw new RangeError('say why: npx satunomor apply --why "the mayor\'s second line"')
  const order = { who, why, smoke, ...values.base === undefined ? {} : { base: versionNumber(values.base) } }
  const at = desk()
  const { version, plan } = await change(at, 'apply', order, tell => at.changes.apply({ ...order, tell }))
  process.stdout.write(`Version ${version} (plan ${plan}) is live. To take it back: npx satunomor rollback --why "…"\n`)
  return 0
}
