/** `npx satunomor burst`: what the desk does about callbacks of a burst of calls that hung up at once (docs/followups.md, "Bursts"). */
import { project } from '../../setup/project.mjs'
import { readSettings, type Settings } from '../settings.ts'
import { cityToken, me, serviceUrl } from './desk.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = {
  lines: [
    ['burst', 'how many follow-ups are parked'], ['burst release --why REASON', 'has them rung, after all others'],
    ['burst park --why REASON [--minutes N]', 'has nobody rung for the calls of the last N minutes that hung up at once']
  ],
  ways: { show: { words: 0, options: [] }, release: { words: 0, options: ['why', 'who'] }, park: { words: 0, options: ['why', 'who', 'minutes'] } },
  options: {
    why: { type: 'string', value: 'REASON', does: 'why; stands in the history of each' }, minutes: { type: 'string', value: 'N', does: 'of park: 1 to 1440; 60 if left out' },
    who: { type: 'string', value: 'NAME', does: 'who does it; you at this machine if left out' }
  },
  example: 'burst release --why "flood in Kedaton: these people called"'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { values: { why, minutes, who = me() }, words: [what = 'show'] } = read(usage, args)
  const settings = readSettings(process.env, project)
  if (what === 'show') {
    const { parked, from, to } = await ask<{ parked: number, from: number | null, to: number | null }>(settings, 'GET')
    process.stdout.write(parked === 0 ? 'Nothing is parked.\n' : `${parked} parked, of calls from ${new Date(from!).toISOString()} to ${new Date(to!).toISOString()}. GET /api/followups?burst=true lists them.\n`)
    return 0
  }
  if (why === undefined) misused('burst', `say why: burst ${what} --why "…"`)
  if (minutes !== undefined && !/^[1-9]\d{0,3}$/.test(minutes)) misused('burst', `--minutes: ${JSON.stringify(minutes)} is no number of minutes, as in 30`)
  const { moved } = await ask<{ moved: number }>(settings, 'POST', { action: what, reason: why, who, ...minutes === undefined ? {} : { minutes: Number(minutes) } })
  process.stdout.write(what === 'park' ? `${moved} parked: nobody is rung for them.\n` : `${moved} released: they are rung after all others.\n`)
  return 0
}

/** Asks the running service. Throws what it says. */
async function ask<T>(settings: Settings, method: string, body?: object): Promise<T> {
  const url = await serviceUrl(settings)
  if (url === undefined) throw new Error('no service answers: start it first')
  const response = await fetch(`${url}/api/followups/burst`, {
    method, headers: { authorization: `Bearer ${await cityToken(settings)}`, ...body ? { 'content-type': 'application/json' } : {} }, ...body ? { body: JSON.stringify(body) } : {}
  })
  const answer = await response.json() as T & { message?: string, hint?: string }
  if (!response.ok) throw new Error([answer.message, answer.hint].filter(Boolean).join('\n'))
  return answer
}
