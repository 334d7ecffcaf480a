/**
 * `npx satunomor call`: what an admin does about a call that goes on.
 *
 * It asks the running service. Where none runs, `end` asks Asterisk itself.
 */
import { pino } from 'pino'
import { project } from '../../setup/project.mjs'
import { endCall } from '../calls/end-call.ts'
import { Records } from '../records/records.ts'
import { secretsIn } from '../secrets.ts'
import { places, readSettings, type Settings } from '../settings.ts'
import { cityToken, me, serviceUrl } from './desk.ts'
import { misused, read, type Usage } from './usage.ts'

export const usage = {
  lines: [['call list', 'the calls that go on, with their ids'], ['call end ID --reason "…" [--who NAME]', 'hangs it up']],
  ways: { list: { words: 0, options: [] }, end: { words: 1, options: ['reason', 'who'] } },
  options: { reason: { type: 'string', value: '"…"', does: 'why: it stands in the audit and in the record' }, who: { type: 'string', value: 'NAME', does: 'who does it; you at this machine if left out' } },
  example: 'call end 1796500000.42 --reason "the line is blocked"'
} as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  const { values: { reason, who = me() }, words: [what, callId] } = read(usage, args)
  if (what === undefined) misused('call', 'say list or end')
  if (what === 'end' && callId === undefined) misused('call', 'say which call: npx satunomor call list shows their ids')
  if (what === 'end' && reason === undefined) misused('call', 'say why: --reason "the line is blocked"')
  const settings = readSettings(process.env, project)
  const url = await serviceUrl(settings)
  if (what === 'list' && url !== undefined) {
    const { calls } = await ask<{ calls: { callId: string, arrivedAt: number, cli: string | null, agency: string | null, line: string | null }[] }>(settings, url, 'calls/live')
    for (const { callId, arrivedAt, cli, agency, line } of calls) process.stdout.write(`${callId}  since ${new Date(arrivedAt).toISOString()}  ${cli ?? 'no number'}  ${line ?? agency ?? ''}\n`)
    if (calls.length === 0) process.stdout.write('No call goes on.\n')
    return 0
  }
  if (what === 'list') throw new Error('no service answers: start it first')
  if (url === undefined) await endHere(settings, { callId: callId!, who, reason: reason! })
  else await ask(settings, url, `calls/${encodeURIComponent(callId!)}/end`, { who, reason })
  process.stdout.write(`${callId} is ended.\n`)
  return 0
}

/** Asks the running service. Throws what it says. */
async function ask<T>(settings: Settings, url: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`${url}/api/${path}`, {
    method: body ? 'POST' : 'GET', headers: { authorization: `Bearer ${await cityToken(settings)}`, ...body ? { 'content-type': 'application/json' } : {} }, ...body ? { body: JSON.stringify(body) } : {}
  })
  const answer = await response.json() as T & { message?: string, hint?: string }
  if (!response.ok) throw new Error([answer.message, answer.hint].filter(Boolean).join('\n'))
  return answer
}

/** No service runs: Asterisk is asked, and the record is written here. */
async function endHere({ state, asterisk: { control, ariPort } }: Settings, order: { callId: string, who: string, reason: string }) {
  const { ari: password } = await secretsIn(places(state).secrets)
  await using records = await Records.open({ file: places(state).records }, pino({ level: 'silent' }))
  const channel = async (method: string, id: string) => {
    const response = await fetch(`http://${control}:${ariPort}/ari/channels/${encodeURIComponent(id)}`, { method, headers: { authorization: `Basic ${btoa(`satunomor:${password}`)}` }, signal: AbortSignal.timeout(5_000) })
    if (!response.ok && response.status !== 404) throw new Error(`Asterisk says ${response.status}`)
    return response.ok
  }
  await endCall({ records, note: step => records.append([step]), there: id => channel('GET', id), hangUp: async id => { await channel('DELETE', id) } }, order)
}
