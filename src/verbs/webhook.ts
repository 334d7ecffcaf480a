/** `npx satunomor webhook`: what an admin does about agencies' own systems (docs/webhooks.md). */
import { project } from '../../setup/project.mjs'
import { didYouMean, quote, thereAre } from '../plan/faults.ts'
import { agencies } from '../plan/plan.ts'
import { places, readSettings, type Settings } from '../settings.ts'
import { WebhookSecrets } from '../webhooks/secrets.ts'
import { cityToken, serviceUrl } from './desk.ts'
import { planOf } from './plan-file.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = {
  lines: [
    ['webhook secret AGENCY [--rotate]', 'the secret that its receiver needs'], ['webhook dead [--agency AGENCY]', 'what could not be delivered'],
    ['webhook redeliver EVENT', 'delivers one of them'], ['webhook redeliver --agency AGENCY', 'delivers all of an agency']
  ],
  ways: { secret: { words: 1, options: ['rotate'] }, dead: { words: 0, options: ['agency'] }, redeliver: { words: 1, options: ['agency'] } },
  options: { rotate: { type: 'boolean', does: 'makes a new one; the one before holds for a day more' }, agency: { type: 'string', value: 'AGENCY', does: 'of this one alone' } },
  example: 'webhook secret bpbd'
} as const satisfies Usage

/** As many of the dead as the API gives at once. */
const most = 200

export async function run(args: string[]): Promise<number> {
  const { values: { rotate = false, agency }, words: [what, which] } = read(usage, args)
  if (what === 'secret' && which === undefined) misused('webhook', 'say of which agency: webhook secret AGENCY')
  const settings = readSettings(process.env, project)
  if (what === 'secret') {
    const known = agencies(await planOf()).filter(({ webhook }) => webhook).map(({ id }) => id)
    if (!known.includes(which!)) throw new Error(`${quote(which!)} is no agency with a webhook in the plan — ${didYouMean(which!, known) ?? thereAre(known)}`)
    const secrets = new WebhookSecrets(places(settings.state).webhooks)
    const secret = rotate ? await secrets.rotate(which!, Date.now()) : (await secrets.of(which!, Date.now()))[0]!
    process.stdout.write(`${secret}\n`)
    return 0
  }
  if (what === 'dead') {
    const { dead } = await ask<{ dead: { id: string, agency: string, sequence: number, type: string, at: number, why: string | null }[] }>(settings, 'GET', `dead?limit=${most}${agency === undefined ? '' : `&agency=${encodeURIComponent(agency)}`}`)
    for (const { id, agency, sequence, type, at, why } of dead) process.stdout.write(`${id}  ${agency} ${sequence}  ${type}  ${new Date(at).toISOString()}  ${why}\n`)
    if (dead.length === 0) process.stdout.write('Nothing is dead.\n')
    if (dead.length === most) process.stderr.write(`These are ${most}, and there may be more: --agency AGENCY shows those of one.\n`)
    return 0
  }
  if (what === 'redeliver' && (which === undefined) !== (agency === undefined)) {
    const { redelivered } = await (which === undefined ? ask<{ redelivered: number }>(settings, 'POST', 'dead/redeliver', { agency }) : ask<{ redelivered: number }>(settings, 'POST', `dead/${encodeURIComponent(which)}/redeliver`))
    process.stdout.write(`${redelivered} delivered anew.\n`)
    return 0
  }
  misused('webhook', what === 'redeliver' ? 'say which event, or --agency AGENCY for all of one: either' : 'say secret, dead or redeliver')
}

/** Asks the running service. Throws what it says. */
async function ask<T>(settings: Settings, method: string, path: string, body?: object): Promise<T> {
  const url = await serviceUrl(settings)
  if (url === undefined) throw new Error('no service answers: start it first')
  const response = await fetch(`${url}/api/webhooks/${path}`, {
    method, headers: { authorization: `Bearer ${await cityToken(settings)}`, ...body ? { 'content-type': 'application/json' } : {} }, ...body ? { body: JSON.stringify(body) } : {}
  })
  const answer = await response.json() as T & { message?: string, hint?: string }
  if (!response.ok) throw new Error([answer.message, answer.hint].filter(Boolean).join('\n'))
  return answer
}
