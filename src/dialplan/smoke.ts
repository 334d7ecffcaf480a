/**
 * Tries a candidate where it harms nobody: a throw-away Asterisk, with addresses, ports and folders of its own on the
 * loopback, loads it, every number of the plan is dialled there, and every line rung by each of its trunks. No service runs, so what answers is the fallback.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ear, loadPrompts } from '../../demo/ear.ts'
import type { Codec } from '../../demo/rtp.ts'
import { Softphone, type Call } from '../../demo/softphone.ts'
import { Child, dyingWithUs, until } from '../../setup/children.mjs'
import { complaint } from '../../setup/complaints.mjs'
import { asterisk, asteriskFolders } from '../../setup/parts.mjs'
import { environment } from '../../setup/environment.mjs'
import { inRoot } from '../../setup/root.mjs'
import { listed } from '../plan/faults.ts'
import { agencies, type Plan } from '../plan/plan.ts'
import type { Candidate } from './candidate.ts'
import { layOut, type Site } from './lay-out.ts'
import { lastLines, lastResort } from './last-resort.ts'
import { laidOut, placeLastResort } from './place.ts'
import { render } from './render.ts'
import { contextOf } from './view.ts'
import { givesWay } from './run.ts'

/** What did not work, each in a sentence. Nothing has changed. */
export class SmokeFailed extends Error {
  override name = 'SmokeFailed'
}

export interface Smoke {
  /** The project's asterisk-config/. */
  config: string
  /** Where Asterisk's program is. */
  tools: 'here' | 'root'
  /** Hears when the calls begin. */
  tell: (step: string) => void
}

/** Where Debian's Asterisk has what it only reads. */
const shared = { data: '/usr/share/asterisk', sounds: '/usr/share/asterisk/sounds' }
/** A greeting, or the line of an agency, must be there within so many ms. */
const patience = 10_000
/** Calls at once. */
const atOnce = 5

/** Throws `SmokeFailed`, or what kept Asterisk from being started. */
export async function smoke({ plan, folder, rendered }: Candidate, { config, tools, tell }: Smoke) {
  await using opened = new AsyncDisposableStack()
  const at = `127.${randomInt(128, 255)}.${randomInt(1, 255)}.`
  const here = await mkdtemp(join(tmpdir(), 'satunomor-smoke-'))
  opened.defer(() => rm(here, { recursive: true, force: true }))
  const site: Site = { address: `${at}1`, port: 5060, control: `${at}1`, ariPort: 8088, amiPort: 5038, rtp: [10000, 10999], sounds: tools === 'root' ? shared.sounds : join(here, 'data', 'sounds') }
  const tried = onLoopback(plan, at)
  const gateway = `${at}254`

  const start = tools === 'root' ? inOurRoot(here, join(folder, 'sounds')) : await onThisMachine(here, join(folder, 'sounds'))
  const ari = randomBytes(24).toString('base64url')
  const secrets = { ari, ami: randomBytes(24).toString('base64url'), watchdog: randomBytes(24).toString('base64url'), redis: '' }
  const etc = join(here, 'etc')
  await layOut({ config, site, secrets, to: etc, ...start.owner ? { owner: start.owner } : {} })
  await start.finish?.()
  // The last resort's way out leads to our gateway, too: a trial never rings anybody.
  // What a line hears that is rung to try a trunk's codecs.
  await edit(join(etc, 'extensions.conf'), text => `${text}\n[smoke-sound]\nexten => s,1,Playback(${plan.prompts.nextLine})\n same => n,Hangup()\n`)
  await edit(join(etc, 'pjsip.conf'), text => text.replace(/^contact = sip:.*$/gm, `contact = sip:${gateway}:5060`))
  const files = laidOut(await render(join(folder, 'dialplan', 'templates'), tried, { ...site }), rendered)
  await mkdir(join(etc, 'plan', 'current'), { recursive: true, mode: 0o755 })
  for (const [name, text] of files) await writeFile(join(etc, 'plan', 'current', name), text, { mode: 0o644 })
  await placeLastResort(lastResort(tried), join(etc, 'plan'))

  const messages = () => readFile(join(here, 'log', 'messages.log'), 'utf8').catch(() => '')
  const child = new Child('the trial\'s Asterisk', start.command, { output: 'ignore', only: true, env: environment() })
  givesWay(child.process.pid)
  opened.defer(() => child.stop())
  try {
    await until(child, async () => await loaded(`${at}1`, ari) === rendered, 20_000)
  } catch (error) {
    throw new SmokeFailed(`an Asterisk of its own did not load what was rendered (${(error as Error).message})${tail(await messages())}`)
  }
  const complaints = (await messages()).split('\n').filter(line => complaint.test(line))
  if (complaints.length > 0) throw new SmokeFailed(`an Asterisk of its own complains of what was rendered:\n${listed(complaints, { most: 10, between: '\n' })}`)

  const rung = new Map<string, () => void>()
  const phones = new Map<string, Softphone>()
  for (const address of new Set([gateway, ...[...tried.trunks.values()].map(({ address }) => address)])) {
    const phone = opened.use(await Softphone.open({ address, port: 5060 }))
    phones.set(address, phone)
    phone.onCall(call => { rung.get(call.from)?.(); return call.answer() })
  }
  const carrier = [...tried.trunks.values()].find(({ role }) => role === 'carrier')!
  const caller = phones.get(carrier.address)!
  const ears = new Map<string, Ear>()
  for (const language of plan.languages) ears.set(language, new Ear(await loadPrompts(join(folder, 'sounds', language))))

  tell('smoke call rings')
  const failures: string[] = []
  const toDial = [...plan.numbers].map(([did, { language }], index) => ({ did, ear: ears.get(language)!, from: `+627215550${100 + index % 100}` }))
  const dialAll = async () => {
    for (let next = toDial.shift(); next; next = toDial.shift()) {
      const failure = await dial(caller, `sip:${next.did}@${at}1:5060`, next, rung)
      if (failure) failures.push(`a call to ${next.did} on an Asterisk of its own ${failure}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, dialAll))

  const ring = async (endpoint: string) => originate(`${at}1`, ari, { endpoint, callerId: '+627215550199' })
  failures.push(...await ringLines(tried, phones, ring))
  // One that a city has written by hand rings whom it rings.
  if (/^include => last-resort-plan$/m.test(await readFile(join(etc, 'last-resort.conf'), 'utf8').catch(() => ''))) failures.push(...await ringLastResort(tried, phones, ring))

  // Each codec of each trunk, for one that Asterisk cannot translate is agreed on all the same, and then there is no sound.
  const [did] = plan.numbers.keys()
  await Promise.all([...tried.trunks].map(async ([name, { role, address, codecs }]) => {
    const phone = phones.get(address)!
    for (const codec of codecs) {
      const call = role === 'carrier' ? phone.dial({ to: `sip:${did}@${at}1:5060`, from: '+627215550199', codecs: [codec] }) : await rings(phone, name, codec, { control: `${at}1`, ari })
      const heard = call && await hasSound(call, codec)
      await call?.hangUp()
      if (heard) continue
      if (!call) failures.push(`the trunk "${name}" rings nobody on an Asterisk of its own: look at its endpoint and aor in dialplan/templates/pjsip.conf.liquid`)
      else failures.push(`a call in ${codec} on the trunk "${name}" has no sound on an Asterisk of its own: load a translator for ${codec} in asterisk-config/modules.conf (codec_g722.so and codec_resample.so for g722), or take it out of trunks.${name}.codecs`)
    }
  }))
  if (failures.length > 0) throw new SmokeFailed(`${failures.join('\n')}${tail(await messages())}`)
}

/** Undefined when the caller hears one of the prompts, or an agency's line is rung for them. */
async function dial(caller: Softphone, to: string, { from, ear }: { from: string, ear: Ear }, rung: Map<string, () => void>): Promise<string | undefined> {
  const reached = Promise.withResolvers<string | undefined>()
  rung.set(from, () => reached.resolve(undefined))
  const call = caller.dial({ to, from })
  call.onFrame(() => { if (ear.heardOn(call).length > 0) reached.resolve(undefined) })
  void call.answered.catch((refused: Error) => reached.resolve(`is ${refused.message}`))
  void call.ended.then(() => reached.resolve('was hung up before anything was heard'))
  const timer = setTimeout(() => reached.resolve(`hears no prompt and rings no line within ${patience / 1000} s`), patience)
  const failure = await reached.promise
  clearTimeout(timer)
  await call.hangUp()
  rung.delete(from)
  return failure
}

/** Each line by each of its trunks, in the dialplan's own way: telephones that refuse with 503 have the next trunk tried. What did not ring, in sentences. */
async function ringLines(plan: Plan, phones: ReadonlyMap<string, Softphone>, originate: (endpoint: string) => Promise<unknown>): Promise<string[]> {
  const rung = new Map<string, PromiseWithResolvers<void>>()
  const place = (address: string, number: string) => `${number}@${address}`
  for (const [address, phone] of phones) {
    phone.onCall(call => {
      rung.get(place(address, call.line))?.resolve()
      return call.refuse(503)
    })
  }
  const failures: string[] = []
  const lines = agencies(plan).flatMap(({ id, lines }) => lines.map(line => ({ agency: id, ...line })))
  const ringAll = async () => {
    for (let line = lines.shift(); line; line = lines.shift()) {
      const trunks = line.trunks.map(name => {
        const at = place(plan.trunks.get(name)!.address, line.number)
        const rings = rung.get(at) ?? Promise.withResolvers<void>()          // one telephone may be a line of two agencies
        rung.set(at, rings)
        return { name, rings }
      })
      await originate(`Local/s@line-${contextOf(line.agency, line)}/n`)
      for (const { name, rings } of trunks) {
        if (await within(patience, rings.promise)) continue
        failures.push(`the line "${line.id}" of "${line.agency}" does not ring by the trunk "${name}" on an Asterisk of its own: look at [line-…] and [ring] in dialplan/templates/extensions.conf.liquid, and at the trunk's endpoint and aor in pjsip.conf.liquid`)
        break
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, ringAll))
  return failures
}

/** The last resort that the plan gives rings each of its lines by each of its trunks: the telephones refuse with 503. */
async function ringLastResort(plan: Plan, phones: ReadonlyMap<string, Softphone>, originate: (endpoint: string) => Promise<unknown>): Promise<string[]> {
  const places = lastLines(plan).flatMap(({ id, number, trunks }) => trunks.map(trunk => ({ id, trunk, at: `${number}@${plan.trunks.get(trunk)!.address}` })))
  const rung = new Map(places.map(({ at }) => [at, Promise.withResolvers<void>()]))
  for (const [address, phone] of phones) {
    phone.onCall(call => {
      rung.get(`${call.line}@${address}`)?.resolve()
      return call.refuse(503)
    })
  }
  await originate('Local/s@last-resort/n')
  for (const { id, trunk, at } of places) {
    if (!await within(patience, rung.get(at)!.promise)) return [`the last resort does not ring the line "${id}" by the trunk "${trunk}" on an Asterisk of its own: look at [last-resort] in asterisk-config/last-resort.conf, and at what asterisk-config/extensions.conf and pjsip.conf include`]
  }
  return []
}

/** Whether it comes within so many ms. */
async function within(ms: number, what: Promise<void>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => late.resolve(false), ms)
  try {
    return await Promise.race([what.then(() => true), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Has the trial's Asterisk call `endpoint`; who answers hears a prompt. */
async function originate(control: string, ari: string, call: { endpoint: string, callerId: string, formats?: string }) {
  const asked = new URLSearchParams({ context: 'smoke-sound', extension: 's', priority: '1', formats: 'alaw', ...call })
  return fetch(`http://${control}:8088/ari/channels?${asked}`, { method: 'POST', headers: { authorization: `Basic ${btoa(`satunomor:${ari}`)}` }, signal: AbortSignal.timeout(patience) })
}

/** The trial's Asterisk rings a telephone on that trunk, which answers in that codec alone; undefined where it does not ring. */
async function rings(phone: Softphone, trunk: string, codec: Codec, { control, ari }: { control: string, ari: string }): Promise<Call | undefined> {
  const { promise, resolve } = Promise.withResolvers<Call | undefined>()
  const timer = setTimeout(() => resolve(undefined), patience)
  phone.codecs = [codec]
  phone.onCall(call => {
    resolve(call)
    return call.answer()
  })
  await originate(control, ari, { endpoint: `PJSIP/smoke@${trunk}`, callerId: '+627215550199' })
  const call = await promise
  clearTimeout(timer)
  await call?.answered.catch(() => {})
  return call
}

/** Whether half a second of sound, and not one frame again and again, is heard in that codec. */
async function hasSound(call: Call, codec: Codec): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const sounds = new Set<string>()
  call.onFrame(frame => { if ((frame.codec ?? codec) === codec && sounds.add(frame.alaw.toString('latin1')).size >= 25) resolve(true) })
  void call.ended.then(() => resolve(false))
  const timer = setTimeout(() => resolve(false), patience)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

/** The same plan with each trunk at an address of the trial's, and each line in service at every hour: all are rung. */
function onLoopback(plan: Plan, at: string): Plan {
  const trunks = new Map([...plan.trunks].map(([name, trunk], index) => [name, { ...trunk, address: `${at}${index + 2}`, port: 5060 }] as const))
  const nodes = new Map([...plan.nodes].map(([name, node]) =>
    [name, node.kind !== 'agency' ? node : { ...node, lines: node.lines.map(({ hours: _, outOfService: __, ...line }) => line) }] as const))
  return { ...plan, trunks, nodes }
}

interface Start {
  command: [string, string[]]
  owner?: { uid: number, gid: number }
  finish?: () => Promise<void>
}

function inOurRoot(folder: string, sounds: string): Start {
  const owner = asteriskFolders(folder)
  return { command: inRoot(asterisk({ folder, sounds })), owner }
}

/** In a container Asterisk is at hand, and runs as we do. */
async function onThisMachine(folder: string, sounds: string): Promise<Start> {
  for (const name of ['etc', 'log/cel-custom', 'lib', 'spool', 'run', 'data']) await mkdir(join(folder, name), { recursive: true })
  // Its own documentation, without which it does not load its modules, and our sounds.
  for (const name of await readdir(shared.data)) if (name !== 'sounds') await symlink(join(shared.data, name), join(folder, 'data', name))
  await symlink(sounds, join(folder, 'data', 'sounds'))
  const directories = { astetcdir: 'etc', astvarlibdir: 'lib', astdbdir: 'lib', astkeydir: 'lib', astdatadir: 'data', astspooldir: 'spool', astrundir: 'run', astlogdir: 'log' }
  const lines = Object.entries(directories).map(([key, name]) => `${key} => ${join(folder, name)}`)
  return {
    command: dyingWithUs(['asterisk', ['-f', '-C', join(folder, 'etc', 'asterisk.conf')]]),
    finish: () => edit(join(folder, 'etc', 'asterisk.conf'), text => `[directories]\n${lines.join('\n')}\n\n${text}`)
  }
}

/** What the trial's Asterisk says that it has loaded; it says nothing before it is fully booted. */
async function loaded(address: string, password: string): Promise<string | undefined> {
  const response = await fetch(`http://${address}:8088/ari/asterisk/variable?variable=SN_RENDERED`, { headers: { authorization: `Basic ${btoa(`satunomor:${password}`)}` }, signal: AbortSignal.timeout(2000) })
  return response.ok ? (await response.json() as { value: string }).value : undefined
}

async function edit(file: string, change: (text: string) => string) {
  await writeFile(file, change(await readFile(file, 'utf8')))
}

/** The last of what Asterisk complained of, for whoever must find out why. */
function tail(messages: string): string {
  const lines = messages.split('\n').filter(line => /WARNING|ERROR/.test(line))
  const left = lines.length - 5
  return lines.length > 0 ? `\nIts log says${left > 0 ? `, after ${left} such line${left > 1 ? 's' : ''} more` : ''}:\n${lines.slice(-5).join('\n')}` : ''
}
